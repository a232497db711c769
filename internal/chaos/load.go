package chaos

import (
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
	rate    int
	callers *callers
	apis    []*process
	client  *http.Client
	done    chan struct{}
	all     sync.WaitGroup

	sent, inFlight, unheard, unanswered, refused, skipped atomic.Int64

	withBudget, withLimits                     atomic.Int64 // sent
	tooLittleLeft, tooManyAtOnce, tooManyInAll atomic.Int64 // refused with 429

	streamed  atomic.Int64 // sent, of which the answer is asked for in pieces
	streaming atomic.Int64 // answers that have begun to come, and have not ended

	mu     sync.Mutex
	seen   map[string]answer // by request id
	broken map[string]broken // streams, by request id
	wrong  []string          // answers that nobody should get

	judges judges
}

// answer is what a client was told.
type answer struct {
	marker string
	status int
	stream bool
}

const (
	mostInFlight = 4000 // above it nothing is sent: the machine is too slow for the rate
	clientWaits  = time.Minute
	burst        = 5 * time.Millisecond
)

func newLoad(rate int, callers *callers, apis ...*process) *load {
	transport := &http.Transport{MaxIdleConnsPerHost: mostInFlight, IdleConnTimeout: 10 * time.Second}
	return &load{rate: rate, callers: callers, apis: apis, seen: map[string]answer{}, broken: map[string]broken{}, judges: judges{accepted: map[string]string{}},
		done: make(chan struct{}), client: &http.Client{Transport: transport, Timeout: clientWaits}}
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
		l.ask(context.Background(), l.apis[n%len(l.apis)], l.callers.marker(n), n)
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
// none and for an answer that broke off.
func (l *load) ask(ctx context.Context, api *process, marker string, n int) int {
	l.sent.Add(1)
	server, form := api.life.Load(), formOf(n)
	request, err := form.request(ctx, server.url(), l.callers.userOf(marker), fmt.Sprintf(prompts[n%len(prompts)], marker))
	if err != nil {
		l.note("%s: %v", marker, err)
		return 0
	}
	request.Header.Set("X-Request-Id", marker)
	l.callers.of(marker).sign(request)
	l.countTerms(marker)
	if form != whole {
		l.streamed.Add(1)
	}
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
	if form != whole && response.StatusCode == http.StatusOK {
		return l.listen(server, form, marker, response)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		l.unanswered.Add(1)
		return 0
	}
	l.take(form, marker, response, text)
	return response.StatusCode
}

// completion is what of the answer of POST /complete is looked at.
type completion struct {
	RequestID string `json:"request_id"`
	Response  string `json:"response"`
}

// take believes an answer only when it came whole. Failures in OpenAI's words
// have their request id in the header only.
func (l *load) take(f form, marker string, response *http.Response, text []byte) {
	switch status, id := response.StatusCode, response.Header.Get("X-Request-Id"); status {
	case http.StatusOK, http.StatusBadGateway:
		var told completion
		if err := json.Unmarshal(text, &told); err != nil || id == "" || f != chatStream && told.RequestID != id ||
			status == http.StatusOK && told.Response != answerTo(marker) {
			l.note("%s: status %d, header %q, body %.200q", marker, status, id, text)
			return
		}
		l.remember(id, answer{marker: marker, status: status})
	case http.StatusServiceUnavailable:
		l.refused.Add(1)
	case http.StatusTooManyRequests:
		l.takeRefusal(marker, response.Header.Get("Retry-After"), text)
	default:
		l.note("%s: status %d: %.200q", marker, status, text)
	}
}

// remember notes an answer, and lets it be judged.
func (l *load) remember(id string, a answer) {
	if a.status == http.StatusOK {
		l.judge(a.marker, id)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claim(id, a.marker)
	l.seen[id] = a
}

// claim notes when somebody else was told the same request id.
func (l *load) claim(id, marker string) {
	for _, before := range []string{l.seen[id].marker, l.broken[id].marker} {
		if before != "" {
			l.wrong = append(l.wrong, fmt.Sprintf("%s and %s both got the request id %s", before, marker, id))
		}
	}
}

func (l *load) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}
