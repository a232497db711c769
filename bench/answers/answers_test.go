package answers

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

func response(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body))}
}

const (
	said = `data: {"choices":[{"index":0,"delta":{"content":"one "},"finish_reason":null}]}` + "\n\n"
	role = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}` + "\n\n"
	stop = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	cost = `data: {"choices":[],"usage":{}}` + "\n\n"
	done = "data: [DONE]\n\n"
)

func TestListen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body   string
		err    error // nil: any, if fails
		fails  bool
		pieces int
	}{
		"whole":           {body: role + said + ": comment\n\n" + said + stop + cost + done, pieces: 2},
		"without an end":  {body: role + said + stop, err: errUnended, fails: true},
		"empty":           {err: errUnended, fails: true},
		"goes on":         {body: role + said + done + said, err: errAfter, fails: true},
		"ends twice":      {body: said + done + done, err: errAfter, fails: true},
		"broken off":      {body: role + `data: {"choices":[{"ind` + "\n\n" + done, fails: true},
		"within a line":   {body: role + `data: {"choices":[{"ind`, err: io.EOF, fails: true},
		"an error inside": {body: role + `data: {"error":{"message":"no"}}` + "\n\n", err: errUnended, fails: true},
	} {
		l := &listened{}
		err := l.listen(response(http.StatusOK, c.body), time.Now(), time.Hour)
		if (err != nil) != c.fails || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
		if !c.fails && (l.pieces != c.pieces || l.text.String() != strings.Repeat("one ", c.pieces)) {
			t.Errorf("%s: %d pieces, %q", name, l.pieces, l.text.String())
		}
	}
	refused, ok := errors.AsType[*statusError](new(listened).listen(response(http.StatusTooManyRequests, "later"), time.Now(), 0))
	if !ok || refused.status != http.StatusTooManyRequests || refused.body != "later" {
		t.Errorf("a refusal is %v", refused)
	}
}

func TestPauses(t *testing.T) {
	t.Parallel()
	l, sent, last := &listened{}, time.Unix(100, 0), time.Time{}
	for _, ms := range []int{900, 920, 1121, 1140, 1341} { // the first word may take its time
		now := sent.Add(time.Duration(ms) * time.Millisecond)
		l.piece("x", now, last, sent, 200*time.Millisecond)
		last = now
	}
	if l.first != 900*time.Millisecond || l.longest != 201*time.Millisecond || l.pauses != 2 {
		t.Errorf("first %s, longest %s, %d pauses", l.first, l.longest, l.pauses)
	}
}

func TestCrowdTellsLossFromFailure(t *testing.T) {
	t.Parallel()
	var all crowd
	stream := func(text string) *listened {
		l := &listened{longest: time.Duration(len(text)) * time.Second, pauses: 1}
		l.text.WriteString(text)
		return l
	}
	all.add(stream("a b "), nil, "a b ")
	all.add(stream("a "), nil, "a b ")
	all.add(stream("a "), errUnended, "a b ")
	f := measure.Figures{}
	all.note(f, "x_")
	for name, want := range map[string]float64{streamed: 3, lost: 1, stalls: 3, longestMS: 4000} {
		if f["x_"+name] != want {
			t.Errorf("%s is %g, not %g", name, f["x_"+name], want)
		}
	}
	if got := f["x_"+failedPct]; got < 33 || got > 34 {
		t.Errorf("%g %% failed", got)
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	var o outcome
	for range 1999 {
		o.count(time.Second, nil)
	}
	o.count(time.Hour, broken)
	if o.sent != 2000 || o.failed != 1 || len(o.took) != 1999 {
		t.Errorf("%d sent, %d failed, %d took", o.sent, o.failed, len(o.took))
	}
	if err := o.sound(); err != nil {
		t.Error(err)
	}
	o.count(0, broken)
	o.count(0, broken)
	if err := o.sound(); !errors.Is(err, errUnsound) || !errors.Is(err, broken) {
		t.Error(err)
	}
	if (outcome{}).sound() == nil {
		t.Error("nothing is sound")
	}
}

// TestMixedLoop counts two kinds apart, both behind the warm-up only.
func TestMixedLoop(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	isOther := func(i int) bool { return i%10 == 0 }
	o, other := mixedLoop(t.Context(), 100, time.Second, func(i int) error {
		if isOther(i) {
			return broken
		}
		return nil
	}, isOther)
	if o.sent != 90 || o.failed != 0 || other.sent != 10 || other.failed != 10 || !errors.Is(other.err, broken) {
		t.Errorf("%d sent, %d failed; of the others %d and %d, %v", o.sent, o.failed, other.sent, other.failed, other.err)
	}
}

func TestOpenLoopSendsEachOnce(t *testing.T) {
	t.Parallel()
	seen := make([]int, 200)
	o := openLoop(t.Context(), 100, time.Second, func(i int) error { seen[i]++; return nil })
	if o.sent != 100 || len(o.took) != 100 {
		t.Errorf("%d counted behind the warm-up, %d of them answered", o.sent, len(o.took))
	}
	for i, n := range seen {
		if n != 1 {
			t.Errorf("request %d was sent %d times", i, n)
		}
	}
}

func TestWatermark(t *testing.T) {
	t.Parallel()
	w, start := &watermark{limit: 1000}, time.Unix(100, 0)
	for _, look := range []struct{ second, bytes, rss int64 }{{0, 500, 9000}, {1, 949, 7000}, {2, 950, 4000}, {3, 1000, 5000}, {9, 990, 6000}, {10, 990, 8000}} {
		w.look(look.bytes, look.rss, start.Add(time.Duration(look.second)*time.Second))
	}
	f, err := w.figures(6)
	if err != nil {
		t.Fatal(err)
	}
	if f[bytesOfCap] != 1 || f[rssOfCap] != 9 || f[rssGrowth] != 1.5 {
		t.Errorf("%v", f)
	}
	if _, err := (&watermark{limit: 1000, cachePeak: 900}).figures(6); err == nil {
		t.Error("a cache that was never full says something")
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	var l levels
	if l.share("redis") != 0 {
		t.Error("a share of nothing")
	}
	for _, level := range []string{"redis", "redis", "miss", "redis"} {
		l.add(level)
	}
	if got := l.share("redis"); got != .75 {
		t.Error(got)
	}
}

// TestFloodOfTooFew: a cache that was never full says nothing of its bounds.
func TestFloodOfTooFew(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := Flood(t.Context(), 1000, &out); err == nil || out.Len() > 0 {
		t.Errorf("a thousand prompts fill the cache: %s", out.String())
	}
}

func newResultsForTest(figures map[string]map[string]float64) *results {
	r := &results{measure.NewResults(1)}
	r.Machine = &measure.Machine{}
	for scenario, f := range figures {
		r.Scenarios = append(r.Scenarios, scenario)
		r.Add(scenario, 0, f)
	}
	return r
}
