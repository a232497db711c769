package providertest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// patience is how long a case waits for what must come before it fails.
const patience = 30 * time.Second

// asked is a request that the fake vendor received.
type asked struct {
	URL    string
	Header http.Header
	Body   string
}

// fake is a vendor that follows a script.
type fake struct {
	provider llm.Provider
	url      string

	mu   sync.Mutex
	seen []asked
}

// script answers one request. It may block until r's context ends, which it
// does when the client leaves and when the case is over.
type script func(w http.ResponseWriter, r *http.Request)

// fake starts a vendor that answers as told, and a provider that calls it.
func (s suite) fake(t *testing.T, answer script) *fake {
	t.Helper()
	f := &fake{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("the request's body is broken: %v", err)
		}
		f.mu.Lock()
		f.seen = append(f.seen, asked{r.URL.String(), r.Header.Clone(), string(body)})
		f.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections() // ends scripts that still wait
		server.Close()
	})
	f.url = server.URL
	f.provider = s.New(t, server.URL, key)
	return f
}

// requests are those received so far.
func (f *fake) requests() []asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]asked(nil), f.seen...)
}

// only is the one request received.
func (f *fake) only(t *testing.T) asked {
	t.Helper()
	seen := f.requests()
	if len(seen) != 1 {
		t.Fatalf("the vendor was asked %d times, want once", len(seen))
	}
	return seen[0]
}

// say answers with status and a JSON body.
func say(status int, body string) script {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// stream sends frames one by one, calls after with the number of each, and
// ends in good order.
func stream(frames []string, after func(r *http.Request, i int)) script {
	return func(w http.ResponseWriter, r *http.Request) {
		beginStream(w)
		for i, frame := range frames {
			push(w, frame)
			if after != nil {
				after(r, i)
			}
		}
	}
}

func beginStream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	push(w, "")
}

// push sends text at once. A client that left is noticed elsewhere.
func push(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}

// hangUp breaks the connection.
func hangUp() { panic(http.ErrAbortHandler) }

// within gives a context that ends long after a case should have: when it does,
// the case fails.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(func() {
		if ctx.Err() != nil {
			t.Errorf("the call was not over after %v", patience)
		}
		cancel()
	})
	return ctx
}

// await waits for a sign, and fails the case when it does not come.
func await(t *testing.T, sign <-chan struct{}, of string) {
	t.Helper()
	select {
	case <-sign:
	case <-time.After(patience):
		t.Errorf("waited %v in vain: %s", patience, of)
	}
}

// hang answers nothing, ever, and tells when it was asked.
func hang(reached chan<- struct{}) script {
	return func(_ http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		<-r.Context().Done()
	}
}

// ending is a context that ends when the case says so, in the way it says: a
// deadline that no clock decides. It ends with its parent, too.
type ending struct {
	context.Context
	how  error
	done chan struct{}

	mu  sync.Mutex
	err error
}

func newEnding(parent context.Context, how error) *ending {
	e := &ending{Context: parent, how: how, done: make(chan struct{})}
	context.AfterFunc(parent, func() { e.endWith(parent.Err()) })
	return e
}

func (e *ending) end() { e.endWith(e.how) }

func (e *ending) endWith(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
		close(e.done)
	}
}

func (e *ending) Done() <-chan struct{} { return e.done }

func (e *ending) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}
