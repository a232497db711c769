package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// load is many clients that come when they come, however the service fares.
// They write down every request id that they were told.
type load struct {
	rate   int
	apis   []*process
	client *http.Client
	done   chan struct{}
	all    sync.WaitGroup

	sent, inFlight, unheard, unanswered, refused, skipped atomic.Int64

	mu    sync.Mutex
	seen  map[string]answer // by request id
	wrong []string          // answers that nobody should get
}

// answer is what a client was told.
type answer struct {
	marker string
	status int
}

const (
	mostInFlight = 4000 // above it nothing is sent: the machine is too slow for the rate
	clientWaits  = time.Minute
	burst        = 5 * time.Millisecond
)

func newLoad(rate int, apis ...*process) *load {
	transport := &http.Transport{MaxIdleConnsPerHost: mostInFlight, IdleConnTimeout: 10 * time.Second}
	return &load{rate: rate, apis: apis, seen: map[string]answer{}, done: make(chan struct{}),
		client: &http.Client{Transport: transport, Timeout: clientWaits}}
}

// start sends until ctx ends; what is under way then gets its answer.
func (l *load) start(ctx context.Context) {
	go func() {
		defer close(l.done)
		tick := time.NewTicker(burst)
		defer tick.Stop()
		began := time.Now()
		for n := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for due := int(time.Since(began).Seconds() * float64(l.rate)); n < due; n++ {
				l.launch(n)
			}
		}
	}()
}

func (l *load) launch(n int) {
	if l.inFlight.Load() >= mostInFlight {
		l.skipped.Add(1)
		return
	}
	l.inFlight.Add(1)
	l.all.Go(func() {
		defer l.inFlight.Add(-1)
		l.ask(context.Background(), l.apis[n%len(l.apis)], fmt.Sprintf("r-%d", n), n)
	})
}

// wait returns when every request has its answer or will never have one.
func (l *load) wait() {
	<-l.done
	l.all.Wait()
	l.client.CloseIdleConnections()
}

// prompts differ in complexity, so that all models get some.
var prompts = [...]string{
	"[%s] What is the capital of France?",
	"[%s] Explain in three points how a hash table resizes, and what that costs.",
	"[%s] Design a distributed rate limiter: analyse consistency, failure modes and clock skew step by step, " +
		"prove its bound, compare three algorithms, then write the Go code with tests.",
}

// ask sends one request, notes what became of it, and gives the status, 0 for
// none.
func (l *load) ask(ctx context.Context, api *process, marker string, n int) int {
	l.sent.Add(1)
	body, err := json.Marshal(map[string]any{
		"prompt": fmt.Sprintf(prompts[n%len(prompts)], marker), "user_id": marker, "max_tokens": 200})
	if err != nil {
		l.note("%s: %v", marker, err)
		return 0
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, api.url()+"/complete", bytes.NewReader(body))
	if err != nil {
		l.note("%s: %v", marker, err)
		return 0
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := l.client.Do(request)
	if errors.Is(err, syscall.ECONNREFUSED) {
		l.unheard.Add(1)
		return 0
	}
	if err != nil {
		l.unanswered.Add(1)
		return 0
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		l.unanswered.Add(1)
		return 0
	}
	l.take(marker, response, text)
	return response.StatusCode
}

// take believes an answer only when it came whole.
func (l *load) take(marker string, response *http.Response, text []byte) {
	var told struct {
		RequestID string `json:"request_id"`
	}
	switch response.StatusCode {
	case http.StatusOK, http.StatusBadGateway:
		if err := json.Unmarshal(text, &told); err != nil || told.RequestID == "" || told.RequestID != response.Header.Get("X-Request-Id") {
			l.note("%s: status %d, header %q, body %.200q", marker, response.StatusCode, response.Header.Get("X-Request-Id"), text)
			return
		}
		l.remember(told.RequestID, answer{marker, response.StatusCode})
	case http.StatusServiceUnavailable:
		l.refused.Add(1)
	default:
		l.note("%s: status %d: %.200q", marker, response.StatusCode, text)
	}
}

func (l *load) remember(id string, a answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, ok := l.seen[id]; ok {
		l.wrong = append(l.wrong, fmt.Sprintf("%s and %s both got the request id %s", before.marker, a.marker, id))
	}
	l.seen[id] = a
}

func (l *load) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}
