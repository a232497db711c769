package chaos

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// upstream is the provider: it speaks OpenAI's chat completions, takes its
// time, fails now and then, and keeps an account of every call. It is the one
// who is paid.
type upstream struct {
	server   *httptest.Server
	callers  *callers
	inFlight atomic.Int64
	slow     atomic.Int64 // in flight, and slow, and not in pieces
	failed   atomic.Int64

	mu     sync.Mutex
	calls  map[string]int    // by marker
	crowds map[string]*crowd // by key, and by user of the key with limits
}

func newUpstream(c *callers) *upstream {
	u := &upstream{callers: c, calls: map[string]int{}, crowds: map[string]*crowd{}}
	u.server = httptest.NewServer(http.HandlerFunc(u.complete))
	return u
}

func (u *upstream) url() string { return u.server.URL }
func (u *upstream) close()      { u.server.CloseClientConnections(); u.server.Close() }

// marked is how a prompt names its request.
var marked = regexp.MustCompile(`\[([0-9a-z-]+)\]`)

func (u *upstream) complete(w http.ResponseWriter, r *http.Request) {
	u.inFlight.Add(1)
	defer u.inFlight.Add(-1)
	var asked struct {
		Messages []struct{ Content string }
		Stream   bool
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Messages) == 0 {
		return // a process died while it was asking: nobody is there
	}
	found := marked.FindStringSubmatch(asked.Messages[len(asked.Messages)-1].Content)
	if found == nil {
		http.Error(w, "the prompt has no marker", http.StatusBadRequest)
		return
	}
	defer u.enter(found[1])()
	wait, fails := temper(found[1], u.count(found[1]))
	if asked.Stream && !fails {
		u.stream(w, r, found[1], wait)
		return
	}
	if wait >= slow {
		u.slow.Add(1)
		defer u.slow.Add(-1)
	}
	select {
	case <-time.After(wait):
	case <-r.Context().Done():
		return
	}
	if fails {
		u.failed.Add(1)
		http.Error(w, `{"error": {"message": "overloaded"}}`, http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"choices": [{"message": {"content": %q}, "finish_reason": "stop"}], "usage": %s}`, answerTo(found[1]), usageOf(found[1], wait))
}

// answerTo is what the provider says to a request.
func answerTo(marker string) string { return "Answer to " + marker + ", piece by piece by piece." }

func usageOf(marker string, wait time.Duration) string {
	return fmt.Sprintf(`{"prompt_tokens": %d, "completion_tokens": %d}`, 20+len(marker)%7, 5+wait.Milliseconds()%200)
}

// stream answers in pieces, and takes as long for all of them as for a whole
// answer: a slow one is told word by word, a quick one in two halves. Now and
// then it breaks off in the middle.
func (u *upstream) stream(w http.ResponseWriter, r *http.Request, marker string, wait time.Duration) {
	w.Header().Set("Content-Type", "text/event-stream")
	pause := ", "
	if wait >= slow {
		pause = " "
	}
	pieces := strings.SplitAfter(answerTo(marker), pause)
	tick := time.NewTicker(wait / time.Duration(len(pieces)))
	defer tick.Stop()
	for i, piece := range pieces {
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
		if i == len(pieces)/2 && breaksOff(marker) {
			u.failed.Add(1)
			panic(http.ErrAbortHandler)
		}
		fmt.Fprintf(w, "data: {\"choices\": [{\"delta\": {\"content\": %q}}]}\n\n", piece)
		_ = http.NewResponseController(w).Flush() // who has left does not hear it
	}
	fmt.Fprintf(w, "data: {\"choices\": [{\"delta\": {}, \"finish_reason\": \"stop\"}]}\n\ndata: {\"choices\": [], \"usage\": %s}\n\ndata: [DONE]\n\n",
		usageOf(marker, wait))
}

// count notes a call, and says which of its request it is.
func (u *upstream) count(marker string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls[marker]++
	return u.calls[marker]
}

// called is how often each request was asked for.
func (u *upstream) called() map[string]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	calls := make(map[string]int, len(u.calls))
	for marker, n := range u.calls {
		calls[marker] = n
	}
	return calls
}

// The provider's temper: enough slow calls that some are in flight at every
// moment, enough failures for fallbacks and for requests that nobody answers.
const (
	slowShare   = 0.06
	failShare   = 0.02  // of first calls
	hopeless    = 0.003 // of requests: every call fails
	quickest    = time.Millisecond
	quick       = 50 * time.Millisecond
	slowest     = 3 * time.Second
	slow        = time.Second
	slowOnFirst = 1    // a call after it is a fallback, and quick
	breakShare  = 0.01 // of streams
)

// temper decides by the marker, so that the same request meets the same fate.
func temper(marker string, call int) (wait time.Duration, fails bool) {
	random := fateOf(marker, 0)
	doomed, first, isSlow := random.Float64() < hopeless, random.Float64() < failShare, random.Float64() < slowShare
	fails = doomed || first && call == 1
	if isSlow && call <= slowOnFirst {
		return slow + time.Duration(random.Int64N(int64(slowest-slow))), fails
	}
	return quickest + time.Duration(random.Int64N(int64(quick-quickest))), fails
}

// breaksOff decides so whether a stream ends in the middle.
func breaksOff(marker string) bool { return fateOf(marker, 1).Float64() < breakShare }

func fateOf(marker string, matter uint64) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, marker)
	return rand.New(rand.NewPCG(h.Sum64(), matter))
}
