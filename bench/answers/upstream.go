package answers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// upstream is a vendor that speaks OpenAI's chat completions as it is told to.
// What it answers follows from the prompt, so that a caller knows what must
// come.
type upstream struct {
	pace
	server *http.Server
	addr   string
	calls  atomic.Int64
	opened atomic.Int64 // connections

	mu       sync.Mutex
	byPrompt map[string]int // calls
}

// pace is how an upstream answers.
type pace struct {
	latency time.Duration // before the first byte
	every   time.Duration // between two pieces of a streamed answer
	words   int           // in an answer; each is a piece of a streamed one
}

// Paths before /chat/completions.
const (
	answering = "/v1"
	hanging   = "/hanging/v1" // takes requests and never answers
)

func startUpstream(p pace) (*upstream, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &upstream{pace: p, addr: listener.Addr().String(), byPrompt: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+answering+"/chat/completions", u.answer)
	mux.HandleFunc("POST "+hanging+"/chat/completions", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server would not see the caller leave
		<-r.Context().Done()
	})
	u.server = &http.Server{Handler: mux, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			u.opened.Add(1)
		}
	}}
	go func() { _ = u.server.Serve(listener) }() // it ends with close
	return u, nil
}

func (u *upstream) close() error { return u.server.Close() }

// callsFor is how often a prompt was asked.
func (u *upstream) callsFor(prompt string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.byPrompt[prompt]
}

// asked is what is read of a request.
type asked struct {
	Stream   bool
	Messages []struct{ Content string }
}

func (u *upstream) answer(w http.ResponseWriter, r *http.Request) {
	var a asked
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil || len(a.Messages) == 0 {
		http.Error(w, "no messages", http.StatusBadRequest)
		return
	}
	prompt := a.Messages[len(a.Messages)-1].Content
	u.calls.Add(1)
	u.mu.Lock()
	u.byPrompt[prompt]++
	u.mu.Unlock()
	began := time.Now()
	if !wait(r.Context(), began.Add(u.latency)) {
		return
	}
	if a.Stream {
		u.stream(w, r, prompt, began.Add(u.latency))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(whole(prompt, u.words)) // who does not take it has left
}

// word is a piece of the answer to a prompt. Its number tells where it belongs.
func word(prompt string, i int) string { return prompt + "/" + strconv.Itoa(i) + " " }

// textOf is the answer to a prompt.
func textOf(prompt string, words int) string {
	var b strings.Builder
	for i := range words {
		b.WriteString(word(prompt, i))
	}
	return b.String()
}

func whole(prompt string, words int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,`+
		`"message":{"role":"assistant","content":%s,"refusal":null},"logprobs":null,"finish_reason":"stop"}],`+
		`"usage":{"prompt_tokens":12,"completion_tokens":%d,"total_tokens":%d},"system_fingerprint":null}`,
		quoted(textOf(prompt, words)), words, words+12)
	return b.Bytes()
}

func quoted(text string) string { return `"` + text + `"` } // prompts here need no escapes

// stream sends each piece when it is due since the first: one that was late
// delays none of the others.
func (u *upstream) stream(w http.ResponseWriter, r *http.Request, prompt string, first time.Time) {
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	send := func(delta, finish, usage string) bool {
		_, err := fmt.Fprintf(w, `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench",`+
			`"choices":[{"index":0,"delta":{%s},"finish_reason":%s}]%s}`+"\n\n", delta, finish, usage)
		return err == nil && control.Flush() == nil
	}
	if !send(`"role":"assistant","content":""`, "null", "") {
		return
	}
	for i := range u.words {
		if !wait(r.Context(), first.Add(time.Duration(i)*u.every)) || !send(`"content":`+quoted(word(prompt, i)), "null", "") {
			return
		}
	}
	_ = send("", `"stop"`, fmt.Sprintf(`,"usage":{"prompt_tokens":12,"completion_tokens":%d,"total_tokens":%d}`, u.words, u.words+12))
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// wait reports false when ctx ended first.
func wait(ctx context.Context, until time.Time) bool {
	d := time.Until(until)
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
