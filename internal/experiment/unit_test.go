package experiment

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/event"
)

// request is one that u sent some minutes after the start.
func request(u string, arm, minute int) *Result {
	return &Result{Completion: uuid.New(), Unit: u, Arm: arm, At: start.Add(time.Duration(minute) * time.Minute),
		Served: Served{OK: true, Answered: true, CostNanos: 100, PaidNanos: 40, LatencyUS: 3_000_000, TokensIn: 10, TokensOut: 20}}
}

func opinion(minute int, bad bool) Opinion {
	return Opinion{Rated: true, Bad: bad, QualityMicros: 250_000, RatedAt: start.Add(time.Duration(minute) * time.Minute), Feedback: uuid.New()}
}

func TestUnitTakesWhatIsInTime(t *testing.T) {
	t.Parallel()
	e := valid()
	e.Observation, e.FeedbackWindow, e.SlowUS = Duration(time.Hour), Duration(30*time.Minute), 2_000_000
	first := request("u", 1, 10)
	u := e.NewUnit(first)
	if !u.MaturesAt.Equal(start.Add(100*time.Minute)) || u.Arm != 1 {
		t.Errorf("%+v", u)
	}
	minute := func(m int) time.Time { return start.Add(time.Duration(m) * time.Minute) }
	second := request("u", 0, 70)
	for _, c := range []struct {
		name string
		got  Taken
		want Taken
	}{
		{"the last moment", e.TakeRequest(&u, second, minute(70)), Counted},
		{"after the observation", e.TakeRequest(&u, request("u", 1, 71), minute(71)), After},
		{"before the first", e.TakeRequest(&u, request("u", 1, 9), minute(71)), Earlier},
		{"when it has matured", e.TakeRequest(&u, request("u", 1, 60), minute(100)), Late},
		{"a late opinion in time", e.TakeOpinion(&u, first, opinion(100, true), minute(99)), Counted},
		{"an opinion after the window", e.TakeOpinion(&u, first, opinion(101, true), minute(99)), After},
		{"an opinion when it has matured", e.TakeOpinion(&u, first, opinion(90, true), minute(100)), Late},
		{"of a request after the observation", e.TakeOpinion(&u, request("u", 1, 71), opinion(90, true), minute(99)), After},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.name, c.got, c.want)
		}
	}
	want := Totals{Requests: 2, Good: 1, Answered: 2, Rated: 1, QualityMicros: 250_000, CostNanos: 200, PaidNanos: 80, LatencyUS: 6_000_000, Slow: 2, TokensIn: 20, TokensOut: 40}
	if u.Totals != want || u.After != 3 || u.Late != 2 || u.Stray != 1 {
		t.Errorf("%+v", u)
	}
}

// Of requests at the same time the one with the least id is the first, whichever
// came first.
func TestSimultaneousRequestsAreOrdered(t *testing.T) {
	t.Parallel()
	e := valid()
	one, other := request("u", 0, 5), request("u", 1, 5)
	if slices.Compare(one.Completion[:], other.Completion[:]) > 0 {
		one, other = other, one
	}
	u := e.NewUnit(other)
	if got := e.TakeRequest(&u, one, start); got != Earlier {
		t.Errorf("the first is %d, not earlier", got)
	}
	u = e.NewUnit(one)
	if got := e.TakeRequest(&u, other, start); got != Counted {
		t.Errorf("the second is %d, not counted", got)
	}
	if gathered := e.Gather([]Result{*other, *one}, nil); !reflect.DeepEqual(gathered, u) {
		t.Errorf("gathered %+v, taken %+v", gathered, u)
	}
}

// Of several opinions of a request the last one counts, whichever came first.
func TestTheLastOpinionCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := valid()
		opinions := make([]Opinion, rapid.IntRange(1, 5).Draw(t, "opinions"))
		for i := range opinions {
			opinions[i] = opinion(rapid.IntRange(0, 3).Draw(t, "minute"), rapid.Bool().Draw(t, "bad"))
		}
		r := request("u", 0, 0)
		u := e.NewUnit(r)
		for _, o := range opinions {
			if e.TakeOpinion(&u, r, o, start) == Counted && o.Later(r.Opinion) {
				r.Opinion = o
			}
		}
		last := slices.MaxFunc(opinions, func(a, b Opinion) int {
			if a.Later(b) {
				return 1
			}
			return -1
		})
		if r.Opinion != last || u.Good != count(!last.Bad) || u.Rated != 1 {
			t.Fatalf("%+v counts, not %+v: %+v", r.Opinion, last, u.Totals)
		}
	})
}

func TestResultOfACompletion(t *testing.T) {
	t.Parallel()
	c := event.NewCompletion(uuid.Must(uuid.NewV7()))
	c.UserID, c.SessionID = "user", "session"
	c.Experiments = []event.Arm{{Experiment: "e0", Arm: "control"}, {Experiment: "e1", Arm: "test"}}
	c.Status, c.Cache, c.CostNanos, c.OriginCostNanos, c.LatencyUS = event.StatusOK, event.CacheRedis, 0, 700, 12
	c.Fallbacks = []string{"large"}
	e := valid()
	r, ok := e.ResultOf(c)
	want := Result{Completion: c.ID, Unit: "user", Arm: 1, At: c.At,
		Served: Served{OK: true, Answered: true, Cached: true, FellBack: true, CostNanos: 700, LatencyUS: 12}}
	if !ok || r != want {
		t.Errorf("%+v, %t", r, ok)
	}
	for status, good := range map[string]bool{event.StatusOK: true, event.StatusCutOff: false, event.StatusEmpty: false,
		event.StatusError: false, event.StatusCanceled: false, event.StatusInterrupted: false} {
		c.Status = status
		r, _ := e.ResultOf(c)
		if totals := r.Totals(0); totals.Good != count(good) || totals.Requests != 1 || totals.Answered != count(!c.Failed()) {
			t.Errorf("%s: %+v", status, totals)
		}
	}
	for kind, unit := range map[UnitKind]string{UnitUser: "user", UnitSession: "session", UnitRequest: c.ID.String()} {
		e.Unit = kind
		if r, ok := e.ResultOf(c); !ok || r.Unit != unit {
			t.Errorf("%s: %q", kind, r.Unit)
		}
	}
	e.Unit, c.SessionID = UnitSession, ""
	if _, ok := e.ResultOf(c); ok {
		t.Error("a request without a session counts for nobody")
	}
	e.Unit, e.ID = UnitUser, "e9"
	if _, ok := e.ResultOf(c); ok {
		t.Error("a request of other experiments is counted")
	}
}

func TestOpinionOfFeedback(t *testing.T) {
	t.Parallel()
	f := event.NewFeedback(uuid.Must(uuid.NewV7()))
	f.Score = new(.123456)
	if o := OpinionOf(f); o != (Opinion{Rated: true, Bad: true, QualityMicros: 123_456, RatedAt: f.At, Feedback: f.ID}) {
		t.Errorf("%+v", o)
	}
}
