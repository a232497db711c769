package chaos

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

func testCallers(t *testing.T) *callers {
	t.Helper()
	c := newCallers(Options{Rate: 150}, 17*time.Second)
	c.budgeted.key, c.limited.key = "key-b", "key-l"
	return c
}

// Some of the load goes with each key, and one user of the limited one asks for
// half of it.
func TestCallers(t *testing.T) {
	t.Parallel()
	c := testCallers(t)
	by, users := map[*caller]float64{}, map[string]float64{}
	const n = 20_000
	for i := range n {
		marker := c.marker(i)
		if !strings.HasSuffix(marker, "-"+strconv.Itoa(i)) {
			t.Fatalf("request %d is called %s", i, marker)
		}
		by[c.of(marker)]++
		user := c.userOf(marker)
		if c.of(marker) == &c.limited {
			users[user]++
		} else if user != marker {
			t.Fatalf("%s is of the user %s", marker, user)
		}
	}
	for what, share := range map[string][2]float64{"budgeted": {by[&c.budgeted] / n, budgetedShare}, "limited": {by[&c.limited] / n, limitedShare},
		"the first user": {users[userName(0)] / by[&c.limited], 0.5}, "the last user": {users[userName(mostUsers-1)] / by[&c.limited], 0.25}} {
		if share[0] < share[1]*0.9 || share[0] > share[1]*1.1 {
			t.Errorf("%s: %.4f of requests, not %.4f", what, share[0], share[1])
		}
	}
	if len(users) != mostUsers || by[&c.operator] == 0 {
		t.Errorf("users %v, operator %.0f", users, by[&c.operator])
	}
}

// Refusals are counted by their reason, and those that nobody should get are
// found.
func TestRefusalsAreHeldAgainstTerms(t *testing.T) {
	t.Parallel()
	const (
		left   = `{"detail": "too little is left of the budget of this key for this request: 1 of 2"}`
		atOnce = `{"detail": "this user may have 2 requests under way at once, and has them"}`
		minute = `{"detail": "this key may have 200 requests a minute, and has had them"}`
	)
	for name, r := range map[string]struct {
		marker, retryAfter, text     string
		left, atOnce, minute, wrongs int
	}{
		"no budget left":          {"b-1", "2", left, 1, 0, 0, 0},
		"too many at once":        {"l-1", "1", atOnce, 0, 1, 0, 0},
		"too many a minute":       {"l-1", "3", minute, 0, 0, 1, 0},
		"does not say when":       {"l-1", "", minute, 0, 0, 0, 1},
		"at once":                 {"l-1", "0", minute, 0, 0, 0, 1},
		"the operator":            {"r-1", "1", minute, 0, 0, 0, 1},
		"a budget without limits": {"b-1", "1", atOnce, 0, 0, 0, 1},
		"limits without a budget": {"l-1", "1", left, 0, 0, 0, 1},
	} {
		l := newLoad(1, testCallers(t))
		header := http.Header{"Retry-After": {r.retryAfter}}
		l.take(whole, r.marker, &http.Response{StatusCode: http.StatusTooManyRequests, Header: header}, []byte(r.text))
		if l.tooLittleLeft.Load() != int64(r.left) || l.tooManyAtOnce.Load() != int64(r.atOnce) || l.tooManyInAll.Load() != int64(r.minute) || len(l.wrong) != r.wrongs {
			t.Errorf("%s: %d, %d, %d, wrong %v", name, l.tooLittleLeft.Load(), l.tooManyAtOnce.Load(), l.tooManyInAll.Load(), l.wrong)
		}
	}
}

// A budget is held in each month, and must have run out.
func TestBudgetsAreHeld(t *testing.T) {
	t.Parallel()
	march, april := time.Date(2026, 3, 31, 23, 59, 0, 0, time.UTC), time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	const most = 1000
	for name, r := range map[string]struct {
		rows    []row
		refused int64
		holds   bool
	}{
		"all of it":        {[]row{{key: "key-b", cost: 600, at: march}, {key: "key-b", cost: 400, at: march}}, 1, true},
		"of two months":    {[]row{{key: "key-b", cost: 600, at: march}, {key: "key-b", cost: 600, at: april}}, 1, true},
		"of somebody else": {[]row{{key: "key-b", cost: 600, at: march}, {key: "", cost: 600, at: march}}, 1, true},
		"too much":         {[]row{{key: "key-b", cost: 600, at: march}, {key: "key-b", cost: 401, at: march}}, 1, false},
		"nobody refused":   {[]row{{key: "key-b", cost: 600, at: march}}, 0, false},
		"nothing spent":    {[]row{{key: "", cost: 600, at: march}}, 1, false},
	} {
		c := testCallers(t)
		c.budgeted.terms.Budget = pricing.Nanos(most)
		e := &engine{callers: c, load: newLoad(1, c)}
		e.load.tooLittleLeft.Store(r.refused)
		got, err := e.budgetsAreKept(t.Context(), r.rows)
		if err != nil || got.Holds != r.holds {
			t.Errorf("%s: %v, %s, %v", name, got.Holds, got.Result, err)
		}
	}
}

// One more at once than is allowed is found, and so is one more in some time.
func TestLimitsAreHeld(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]struct {
		atOnce, together int
		refused          int64
		holds            bool
	}{
		"all at once":         {4, 100, 1, true},
		"too many at once":    {5, 100, 1, false},
		"too many in a while": {4, 300, 1, false},
		"nobody refused":      {4, 100, 0, false},
	} {
		c := testCallers(t)
		c.limited.terms = terms{PerMinute: 200, Concurrency: 4, PerUser: &terms{Concurrency: 4}}
		e := &engine{callers: c, load: newLoad(1, c), upstream: &upstream{callers: c, crowds: map[string]*crowd{}}}
		var leave []func()
		for i := range r.atOnce {
			leave = append(leave, e.upstream.enter("l-"+strconv.Itoa(i)))
		}
		for _, f := range leave {
			f()
		}
		e.upstream.enter("l-9")()
		e.load.tooManyAtOnce.Store(r.refused)
		var rows []row
		for i := range r.together {
			rows = append(rows, row{key: "key-l", at: time.Unix(int64(1000+i%3), 0)})
		}
		got, err := e.limitsAreKept(t.Context(), rows)
		if err != nil || got.Holds != r.holds {
			t.Errorf("%s: %v, %s, %v", name, got.Holds, got.Result, err)
		}
	}
}

// Many in a short time are found between few in a long one.
func TestAheadOf(t *testing.T) {
	t.Parallel()
	began := time.Unix(1000, 0)
	var times []time.Time
	for i := range 60 {
		times = append(times, began.Add(time.Duration(i)*2*time.Second))
	}
	if got := aheadOf(times, 60); got != 1 {
		t.Errorf("half of the rate is ahead by %d", got)
	}
	for range 10 {
		times = append(times, began.Add(time.Minute))
	}
	if got := aheadOf(times, 60); got != 11 {
		t.Errorf("eleven at once are ahead by %d", got)
	}
	if got := aheadOf(nil, 60); got != 0 {
		t.Errorf("none are ahead by %d", got)
	}
}

// What fails adds to what may pass.
func TestMayBeAhead(t *testing.T) {
	t.Parallel()
	e := &engine{}
	least := e.mayBeAhead(600)
	for kind, more := range map[string]int64{FaultFlush: 600, FaultKill: 10, FaultStop: 0} {
		e.faults = []Fault{{Kind: kind, Targets: []string{"redis"}}}
		if got := e.mayBeAhead(600) - least; got != more {
			t.Errorf("%s of Redis adds %d, not %d", kind, got, more)
		}
	}
	e.faults = []Fault{{Kind: FaultTerm, Targets: []string{"api-2", "worker-1"}}}
	if got := e.mayBeAhead(600) - least; got != 11 {
		t.Errorf("an API that ends adds %d", got)
	}
}
