package apifuzz

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/busuhq/busu/internal/contract"
)

// judge says what of an answer breaks a promise.
type judge struct {
	document *contract.Document
	secrets  []string // that no answer may hold
}

func (j judge) look(r *request, got answer) (faults []string) {
	if r.broken && refusedByServer(got) {
		return nil
	}
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if got.Status >= 500 {
		add("status %d", got.Status)
	}
	for _, fault := range j.headers(r, got) {
		add("%s", fault)
	}
	if fault := admission(r, got); fault != "" {
		add("%s", fault)
	}
	if fault := j.leak(r, got); fault != "" {
		add("%s", fault)
	}
	if err := j.described(r, got); err != nil {
		add("%s", firstLines(err.Error()))
	}
	return faults
}

// refusedByServer reports whether net/http itself has refused what is no HTTP,
// in plain text and with the connection's end: nothing of ours has seen it. See
// docs/http.md.
func refusedByServer(got answer) bool {
	return got.hurry && got.Header.Get("X-Request-Id") == "" && slices.Contains([]int{400, 417, 431, 501, 505}, got.Status) && len(got.Body) < 200
}

// prompts are the operations whose answers no browser shows: they go without what
// only concerns pages.
func prompts() []string {
	return []string{"POST /complete", "POST /recommendation", "POST /v1/chat/completions", "POST /v1/messages", "POST /v1/embeddings"}
}

// headers are those that every answer has, and those that none has.
func (j judge) headers(r *request, got answer) (faults []string) {
	isPage := !slices.Contains(prompts(), r.method+" "+r.operation.path) // as it was sent, which may be by another method
	for name, value := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
		if got.Header.Get(name) != value && (isPage || name == "X-Content-Type-Options") {
			faults = append(faults, fmt.Sprintf("the header %s is %q", name, got.Header.Get(name)))
		}
	}
	if policy := got.Header.Get("Content-Security-Policy"); isPage && !(strings.Contains(policy, "default-src 'none'") && strings.Contains(policy, "frame-ancestors 'none'")) {
		faults = append(faults, "there is no policy for content")
	}
	if len(got.Header.Get("X-Request-Id")) != 36 {
		faults = append(faults, "there is no request id")
	}
	for name := range got.Header {
		if strings.HasPrefix(name, "Access-Control-") || name == "Server" || name == "X-Powered-By" {
			faults = append(faults, "there is a header "+name)
		}
	}
	if !r.operation.public && r.ordinary && got.Header.Get("Cache-Control") != "no-store" {
		faults = append(faults, "others may keep the answer")
	}
	for _, cookie := range (&http.Response{Header: got.Header}).Cookies() {
		if !cookie.HttpOnly || cookie.SameSite == http.SameSiteDefaultMode || cookie.SameSite == http.SameSiteNoneMode {
			faults = append(faults, fmt.Sprintf("the cookie %s is for scripts, or for other sites", cookie.Name))
		}
	}
	return faults
}

// admission holds the status against who asked: strangers are told that they
// need a key and nothing else, others what their role does not let them do.
func admission(r *request, got answer) string {
	ok := got.Status/100 == 2 || got.Status == http.StatusSwitchingProtocols
	switch {
	case r.operation.public || !r.ordinary && r.caller.role != "":
		return ""
	case r.caller.role == "" && ok && !r.publicElsewhere(), r.caller.role == "" && r.ordinary && got.Status != http.StatusUnauthorized:
		return fmt.Sprintf("a stranger (%s) gets %d", r.caller.name, got.Status)
	case !r.ordinary:
		return ""
	case r.caller.role != "" && got.Status == http.StatusUnauthorized:
		return fmt.Sprintf("a key that is known (%s) is called wrong", r.caller.name)
	case r.caller.role != "" && !r.caller.may(r.operation) && got.Status != http.StatusForbidden:
		return fmt.Sprintf("%s, who may not, gets %d", r.caller.name, got.Status)
	}
	return ""
}

// publicElsewhere reports whether a bent path may have led to something public.
func (r *request) publicElsewhere() bool {
	return !strings.HasPrefix(r.target, r.operation.path)
}

// leak finds what no answer tells: keys, and what only programmers understand.
func (j judge) leak(r *request, got answer) string {
	if r.operation.public && got.Status == http.StatusOK {
		return "" // pages, the document, counters: they are the same for everybody
	}
	var head bytes.Buffer
	_ = got.Header.Write(&head) // a buffer takes everything
	for _, secret := range j.secrets {
		if bytes.Contains(got.Body, []byte(secret)) || bytes.Contains(head.Bytes(), []byte(secret)) {
			return "a key is told"
		}
	}
	for _, word := range []string{"goroutine ", ".go:", "SQLSTATE", "pgx", "pgconn", "redis:", "panic", "runtime error", "nil pointer", "strconv.", "json: cannot", "dial tcp", "/internal/"} {
		if got.Status >= 400 && bytes.Contains(got.Body, []byte(word)) {
			return fmt.Sprintf("the answer says %q", word)
		}
	}
	return ""
}

// described holds an answer against the document, and of a stream each event.
func (j judge) described(r *request, got answer) error {
	if got.Status == http.StatusSwitchingProtocols {
		return nil
	}
	asked, err := r.asHTTP()
	if err != nil {
		return fmt.Errorf("it was answered and is no request: %w", err)
	}
	if err := j.document.CheckAnswer(asked, got.Answer); err != nil {
		return err
	}
	if got.Status == http.StatusOK && strings.HasPrefix(got.Header.Get("Content-Type"), "text/event-stream") && r.operation.body != nil {
		return j.events(r, got.Body)
	}
	return nil
}

// asHTTP is the request as a server sees it.
func (r *request) asHTTP() (*http.Request, error) {
	u, err := url.ParseRequestURI(r.target)
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	for _, line := range r.headers {
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, strings.TrimSpace(value))
	}
	return &http.Request{Method: r.method, URL: u, Header: h, Host: "localhost", Body: io.NopCloser(bytes.NewReader(r.body))}, nil
}

// events holds what each event of an answer says against x-item-schema.
func (j judge) events(r *request, stream []byte) error {
	media := j.document.Paths.Find(r.operation.path).GetOperation(r.operation.method).Responses.Status(http.StatusOK).Value.Content["text/event-stream"]
	if media == nil {
		return fmt.Errorf("the document knows no events here")
	}
	item, _ := media.Extensions["x-item-schema"].(map[string]any)
	s := j.document.Components.Schemas[path.Base(fmt.Sprint(item["$ref"]))]
	if s == nil {
		return fmt.Errorf("the document does not say what the events are")
	}
	for block := range strings.SplitSeq(string(stream), "\n\n") {
		_, data, found := strings.Cut(block, "data: ")
		if data = strings.ReplaceAll(data, "\ndata: ", "\n"); !found || data == "[DONE]" {
			continue
		}
		var value any
		if err := json.Unmarshal([]byte(data), &value); err != nil {
			return fmt.Errorf("event %.200s: %w", data, err)
		}
		if err := s.Value.VisitJSON(value, openapi3.EnableJSONSchema2020()); err != nil {
			return fmt.Errorf("event %.200s: %w", data, err)
		}
	}
	return nil
}

// firstLines keeps of a long error what it is about.
func firstLines(text string) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[:min(len(lines), 3)], "; ")
}
