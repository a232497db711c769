package answers

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestCallerAndUpstream: what the upstream answers is what the caller expects,
// whole and in pieces, on connections that are used again.
func TestCallerAndUpstream(t *testing.T) {
	t.Parallel()
	u, err := startUpstream(pace{every: time.Microsecond, words: 5})
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{addr: u.addr}
	t.Cleanup(func() { c.close(); _ = u.close() })
	for i := range 3 {
		if err := c.send(chatRequest("any", "a.1", false), answered("a.1/0 a.1/1 a.1/2 a.1/3 a.1/4 ")); err != nil {
			t.Fatal(err)
		}
		l, err := oneStream(c, "b.2", "any")
		if err != nil || l.text.String() != textOf("b.2", 5) || l.pieces != 5 {
			t.Fatalf("%q in %d pieces: %v", l.text.String(), l.pieces, err)
		}
		if u.callsFor("a.1") != i+1 || u.callsFor("b.2") != i+1 || u.calls.Load() != int64(2*i+2) {
			t.Errorf("after turn %d: %d calls", i, u.calls.Load())
		}
	}
	if n := u.opened.Load(); n != 1 {
		t.Errorf("%d connections for one call after the other", n)
	}
	if err := c.send(chatRequest("any", "a.1", false), answered("something else")); err == nil {
		t.Error("any answer will do")
	}
	if err := c.send(request("POST", answering+"/chat/completions", `{}`), answered("")); err == nil {
		t.Error("a request without messages is answered")
	}
}

func TestWholeAnswerIsJSON(t *testing.T) {
	t.Parallel()
	var r struct {
		Choices []struct{ Message struct{ Content string } }
		Usage   struct {
			Completion int `json:"completion_tokens"`
		}
	}
	if err := json.Unmarshal(whole("p", 3), &r); err != nil || r.Choices[0].Message.Content != "p/0 p/1 p/2 " || r.Usage.Completion != 3 {
		t.Errorf("%+v: %v", r, err)
	}
}

// TestHangingEndsWithItsCaller: it is not a goroutine for ever.
func TestHangingEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	u, err := startUpstream(pace{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (&caller{addr: u.addr}).dial()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(request("POST", hanging+"/chat/completions", `{}`)); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := u.server.Shutdown(t.Context()); err != nil { // it waits for those that are being answered
		t.Error(err)
	}
}

func TestClosedLoopSharesTheWork(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[int]int{}
	err := closedLoop(t.Context(), 3, 10, func(i int) error {
		mu.Lock()
		defer mu.Unlock()
		seen[i]++
		return nil
	})
	if err != nil || len(seen) != 10 {
		t.Errorf("%v: %v", seen, err)
	}
	if err := closedLoop(t.Context(), 3, 10, func(i int) error { return http.ErrBodyNotAllowed }); err == nil {
		t.Error("failures are not told")
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := newResultsForTest(map[string]map[string]float64{
		streamsName: {lost: 0, failedPct: .2, beyondMS: -3, moreStalls: 0},
		equalName:   {upstreamCalls: 2},
	})
	r.Failures[redisName] = "no reason"
	r.Scenarios = append(r.Scenarios, redisName)
	text := r.report()
	for _, want := range []string{
		"| 512 streams: that ended well without all of their text | 0.00 | 0.00–0.00 | ≤ 0.00 | met |",
		"| 512 streams: failed, % | 0.20 | 0.20–0.20 | ≤ 0.10 | **missed** |",
		"| 1,000 equal prompts, whole: calls of the upstream | 2.00 | 2.00–2.00 | ≤ 1.00 | **missed** |",
		"−3.00", "**Failed:** " + redisName + ": no reason",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "not quiet") {
		t.Error("nothing says that the machine was not quiet")
	}
	r.Add(added200Name, 0, map[string]float64{directP99: 90_000})
	if !strings.Contains(r.report(), "not quiet:** direct calls at 200/s (added at 200/s) had a p99 of 90,000 µs") {
		t.Error("unrest is not told")
	}
	if strings.Contains(text, "added at 200/s, p50") {
		t.Error("a goal of what was not measured")
	}
}

// TestGoalsAreOfScenarios that there are, and of figures that they give.
func TestGoalsAreOfScenarios(t *testing.T) {
	t.Parallel()
	r := newResultsForTest(nil)
	for _, s := range (&bench{}).scenarios() {
		for _, figure := range []string{lost, failedPct, beyondMS, moreStalls, "p50_us", "p99_us", ratioP50, ratioP99, ratioAmong, levelPct, bytesOfCap,
			heapOfCap, rssOfCap, rssGrowth, upstreamCalls, addedP50, addedP99} {
			if r.Figures[s.Name] == nil {
				r.Add(s.Name, 0, map[string]float64{})
			}
			r.Figures[s.Name][0][figure] = 1
		}
	}
	for _, g := range r.goals() {
		if _, ok := g.Of(); !ok {
			t.Errorf("%s is of nothing", g.What)
		}
	}
}
