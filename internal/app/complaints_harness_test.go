package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/storetest"
)

// The tests beside this file are named after what people complain of in other
// gateways. Each runs against the real binary on real stores; only the vendor
// is ours, so that it can misbehave and tell what it was asked.

// call is one request that a vendor got.
type call struct {
	model  string
	path   string
	header http.Header
	body   string
	stream bool
	nth    int // of the calls for this model, from 1
}

// script is how a vendor answers the calls for one model.
type script func(w http.ResponseWriter, r *http.Request, c call)

// vendor stands in for OpenAI, Anthropic and Google: it answers in the language
// of the path, as the script of the model says, and remembers every call.
type vendor struct {
	*httptest.Server
	scripts map[string]script

	mu    sync.Mutex
	calls []call
	left  map[string]int // calls whose caller left before they had ended, by model
}

func newVendor(t *testing.T, scripts map[string]script) *vendor {
	t.Helper()
	v := &vendor{scripts: scripts, left: map[string]int{}}
	v.Server = httptest.NewServer(v)
	t.Cleanup(func() { v.CloseClientConnections(); v.Close() })
	return v
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // who asked is gone
	}
	var asked struct {
		Model  string
		Stream bool
	}
	_ = json.Unmarshal(body, &asked)
	if _, named, ok := strings.Cut(r.URL.Path, "/models/"); ok { // Google's
		model, method, _ := strings.Cut(named, ":")
		asked.Model, asked.Stream = model, strings.HasPrefix(method, "stream")
	}
	c := v.note(call{model: asked.Model, path: r.URL.Path, header: r.Header.Clone(), body: string(body), stream: asked.Stream})
	s, ok := v.scripts[c.model]
	if !ok {
		http.Error(w, `{"error": {"message": "no such model"}}`, http.StatusNotFound)
		return
	}
	defer func() {
		if r.Context().Err() != nil {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.left[c.model]++
		}
	}()
	s(w, r, c)
}

func (v *vendor) note(c call) call {
	v.mu.Lock()
	defer v.mu.Unlock()
	c.nth = 1
	for _, before := range v.calls {
		if before.model == c.model {
			c.nth++
		}
	}
	v.calls = append(v.calls, c)
	return c
}

// got lists the calls for a model.
func (v *vendor) got(model string) []call {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(v.calls), func(c call) bool { return c.model != model })
}

func (v *vendor) leftBy(model string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.left[model]
}

// usage is what a vendor counts, in its own way: Anthropic's in is without
// cached and written, those of the others are with them.
type usage struct{ in, cached, written, out int64 }

// says answers whole or in a piece for each word, as it is asked.
func says(text string, u usage) script {
	return func(w http.ResponseWriter, _ *http.Request, c call) {
		if !c.stream {
			reply200(w, whole(c, text, u))
			return
		}
		for _, f := range frames(c, text, u) {
			send(w, f)
		}
	}
}

// begins sends the first frames of a streamed answer, and nothing of a whole
// one, and then does something else.
func begins(n int, text string, u usage, then script) script {
	return func(w http.ResponseWriter, r *http.Request, c call) {
		if c.stream {
			for _, f := range frames(c, text, u)[:n] {
				send(w, f)
			}
		}
		then(w, r, c)
	}
}

// hangs does nothing until its caller leaves.
func hangs(_ http.ResponseWriter, r *http.Request, _ call) { <-r.Context().Done() }

// dies cuts the connection.
func dies(http.ResponseWriter, *http.Request, call) { panic(http.ErrAbortHandler) }

// refuses answers with a status and a message.
func refuses(status int, message string) script {
	return func(w http.ResponseWriter, _ *http.Request, _ call) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type": "error", "error": {"message": %q, "type": "vendors_own", "code": null}}`, message)
	}
}

// first does one thing for the first n calls, and then another.
func first(n int, before, after script) script {
	return func(w http.ResponseWriter, r *http.Request, c call) {
		if c.nth <= n {
			before(w, r, c)
			return
		}
		after(w, r, c)
	}
}

func reply200(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, body)
}

// send sends a frame at once.
func send(w http.ResponseWriter, frame string) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, frame)
	_ = http.NewResponseController(w).Flush()
}

// whole is an answer in the language of the call's path.
func whole(c call, text string, u usage) string {
	switch {
	case strings.HasSuffix(c.path, "/messages"):
		return fmt.Sprintf(`{"id": "msg_1", "type": "message", "role": "assistant", "model": %q, "content": [{"type": "text", "text": %q}],
			"stop_reason": "end_turn", "stop_sequence": null, "usage": %s}`, c.model, text, messagesUsage(u))
	case strings.Contains(c.path, "/models/"):
		return googles(text, "STOP", &u)
	default:
		return fmt.Sprintf(`{"id": "c", "object": "chat.completion", "created": 1, "model": %q, "choices": [{"index": 0,
			"message": {"role": "assistant", "content": %q}, "finish_reason": "stop"}], "usage": %s}`, c.model, text, chatUsage(u))
	}
}

// frames are a streamed answer: what comes before the first word, a frame for
// each word, and then the end. A usage of nothing is not told.
func frames(c call, text string, u usage) []string {
	var all []string
	words := strings.SplitAfter(text, " ")
	switch {
	case strings.HasSuffix(c.path, "/messages"):
		event := func(name, data string) { all = append(all, fmt.Sprintf("event: %s\ndata: %s\n\n", name, data)) }
		before := u
		before.out = 1
		event("message_start", fmt.Sprintf(`{"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": %q, "content": [], "stop_reason": null, "stop_sequence": null, "usage": %s}}`, c.model, messagesUsage(before)))
		all[0] += "event: content_block_start\ndata: {\"type\": \"content_block_start\", \"index\": 0, \"content_block\": {\"type\": \"text\", \"text\": \"\"}}\n\n"
		for _, word := range words {
			event("content_block_delta", fmt.Sprintf(`{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": %q}}`, word))
		}
		event("content_block_stop", `{"type": "content_block_stop", "index": 0}`)
		event("message_delta", fmt.Sprintf(`{"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": %d}}`, u.out))
		event("message_stop", `{"type": "message_stop"}`)
	case strings.Contains(c.path, "/models/"):
		all = append(all, "data: "+googles("", "", nil)+"\n\n")
		for _, word := range words {
			all = append(all, "data: "+googles(word, "", nil)+"\n\n")
		}
		all = append(all, "data: "+googles("", "STOP", &u)+"\n\n")
	default:
		piece := func(delta, finish string) {
			all = append(all, fmt.Sprintf(`data: {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": %q, "choices": [{"index": 0, "delta": %s, "finish_reason": %s}]}`+"\n\n", c.model, delta, finish))
		}
		piece(`{"role": "assistant", "content": ""}`, "null")
		for _, word := range words {
			piece(fmt.Sprintf(`{"content": %q}`, word), "null")
		}
		piece("{}", `"stop"`)
		if u != (usage{}) {
			all = append(all, fmt.Sprintf(`data: {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": %q, "choices": [], "usage": %s}`+"\n\n", c.model, chatUsage(u)))
		}
		all = append(all, "data: [DONE]\n\n")
	}
	return all
}

func chatUsage(u usage) string {
	return fmt.Sprintf(`{"prompt_tokens": %d, "completion_tokens": %d, "total_tokens": %d, "prompt_tokens_details": {"cached_tokens": %d}}`,
		u.in, u.out, u.in+u.out, u.cached)
}

func messagesUsage(u usage) string {
	return fmt.Sprintf(`{"input_tokens": %d, "cache_read_input_tokens": %d, "cache_creation_input_tokens": %d, "output_tokens": %d}`,
		u.in, u.cached, u.written, u.out)
}

func googles(text, finish string, u *usage) string {
	counts := ""
	if u != nil {
		counts = fmt.Sprintf(`, "usageMetadata": {"promptTokenCount": %d, "cachedContentTokenCount": %d, "candidatesTokenCount": %d, "thoughtsTokenCount": 10}`,
			u.in, u.cached, u.out-10)
	}
	if finish != "" {
		finish = fmt.Sprintf(`, "finishReason": %q`, finish)
	}
	return fmt.Sprintf(`{"candidates": [{"content": {"role": "model", "parts": [{"text": %q}]}%s}]%s}`, text, finish, counts)
}

// house is busu between a test and a vendor.
type house struct {
	*process
	conn *pgx.Conn
}

// secretOf is the key for a vendor; nobody but that vendor may ever see it.
const secretOf = "sk-vendors-own-secret-0123456789"

// newHouse starts all of busu on stores of its own. In the configuration,
// VENDOR is where the vendor is.
func newHouse(t *testing.T, v *vendor, configuration string, env ...string) *house {
	t.Helper()
	return newHouseOn(t, v, storetest.Postgres(t), storetest.Redis(t), configuration, env...)
}

func newHouseOn(t *testing.T, v *vendor, database, redis, configuration string, env ...string) *house {
	t.Helper()
	env = append(env, "DATABASE_URL="+database, "REDIS_URL="+redis, "ACME_API_KEY="+secretOf, "BUSU_STATE_DIR="+stateDir(t),
		"BUSU_CONFIG="+configFile(t, strings.ReplaceAll(configuration, "VENDOR", v.URL)+"\n"+planned))
	return &house{process: start(t, nil, env, "busu", "up"), conn: connect(t, database)}
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// send posts a body with headers, given as name and value in turn.
func (p *process) send(path, body string, headers ...string) reply {
	p.t.Helper()
	r, err := p.open(p.t.Context(), path, body, headers...)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", path, body, err)
	}
	return reply{status: r.StatusCode, header: r.Header, body: string(text)}
}

// open posts a body and leaves the answer to be read.
func (p *process) open(ctx context.Context, path, body string, headers ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return http.DefaultClient.Do(r)
}

// question is a body for an endpoint, which its client makes in its own way.
func question(path, model, text, user string, stream bool) string {
	switch path {
	case "/complete":
		return fmt.Sprintf(`{"model": %q, "prompt": %q, "user_id": %q, "stream": %t}`, model, text, user, stream)
	case "/v1/messages":
		return fmt.Sprintf(`{"model": %q, "max_tokens": 100, "messages": [{"role": "user", "content": %q}], "metadata": {"user_id": %q}, "stream": %t}`, model, text, user, stream)
	default:
		return fmt.Sprintf(`{"model": %q, "messages": [{"role": "user", "content": %q}], "user": %q, "stream": %t}`, model, text, user, stream)
	}
}

// row is what the ledger says of a request.
type row struct {
	ID, Model, Status, Kind, Cache string
	In, Cached, Out, Cost, Origin  int64
	Estimated, Unpriced            bool
	Fallbacks, Degraded            []string
}

// row waits for the only row of a user.
func (h *house) row(user string) row {
	h.t.Helper()
	var all []row // of one query: while a day is made, the next may miss it
	h.until("the ledger has the request of "+user, func() bool { all = h.rows(user); return len(all) > 0 })
	if len(all) > 1 {
		h.t.Errorf("%s has %d rows", user, len(all))
	}
	return all[0]
}

// rows lists a user's rows, in the order of their requests.
func (h *house) rows(user string) []row {
	h.t.Helper()
	found, err := h.conn.Query(h.t.Context(), `
		SELECT id::text, coalesce(model, ''), status, coalesce(error_kind, ''), cache, tokens_in, tokens_in_cached, tokens_out,
		       cost_nanos, origin_cost_nanos, estimated, unpriced, fallbacks, degraded
		FROM completions WHERE user_id = $1 ORDER BY id`, user)
	if err != nil {
		h.t.Fatal(err)
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByPos[row])
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// leave asks, and goes away when something has come to pass.
func (h *house) leave(path, body string, when func(*http.Response)) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	r, err := h.open(ctx, path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Body.Close()
	when(r)
}

// planned lets no chance and no user decide which model is asked first.
const planned = "routing: {strategy: complexity, holdout: 0}\n"
