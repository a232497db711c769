package statement_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/statement"
)

func month(t testing.TB, text string) statement.Month {
	t.Helper()
	m, err := statement.ParseMonth(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

// lines are of any keys, models and parts.
func lines(r *rand.Rand, n int) (all []statement.Line) {
	for range n {
		l := statement.Line{Part: pick(r, statement.Parts()...), KeyID: pick(r, "", "k1", "k2"), Model: pick(r, "", "small", "=large", "mo\"del\né"),
			BaselineModel: "large", PriceVersion: pick(r, "", "v1", "v2")}
		l.Requests, l.Errors, l.TokensIn, l.TokensOut = r.Int64N(1e6), r.Int64N(10), r.Int64N(1e9), r.Int64N(1e9)
		l.PaidNanos, l.BaselineNanos, l.Unpriced = r.Int64N(1e15), r.Int64N(1e15), r.Int64N(5)
		l.UserRequests = r.Int64N(l.Requests + 1)
		all = append(all, l)
	}
	all[0].Part = statement.PartRouted
	return all
}

// whole is a month that is shown to be whole. Routed users cost factor as much
// as those of the hold-out.
func whole(t testing.TB, seed uint64, users int, factor float64) statement.Evidence {
	r := rand.New(rand.NewPCG(seed, 1))
	m := month(t, "2026-11")
	e := statement.Evidence{Project: "acme", Month: m, AsOf: m.To().Add(48 * time.Hour), Lines: lines(r, 4+r.IntN(3)),
		Counted: m.To().Add(47 * time.Hour), LastStored: m.To()}
	e.Watermark = e.AsOf.Add(-time.Second)
	for _, l := range e.Lines {
		e.Rollups.Requests += l.Requests
		e.Rollups.Errors += l.Errors
		e.Rollups.TokensIn += l.TokensIn
		e.Rollups.TokensOut += l.TokensOut
		e.Rollups.PaidNanos += l.PaidNanos
		e.Rollups.BaselineNanos += l.BaselineNanos
	}
	e.Groups = savings.Tally{Since: m.From(), Limit: math.Inf(1)}
	for i := range 2 * users {
		g, cost := &e.Groups.Routed, factor
		if i%2 == 0 {
			g, cost = &e.Groups.Holdout, 1
		}
		g.Add(savings.Unit{Requests: 5, CostNanos: int64(cost * 1e6 * (1 + r.Float64())), Good: 5, LatencyUS: 5e6}, math.Inf(1))
	}
	return e
}

func newStatement(t testing.TB, e statement.Evidence) statement.Statement {
	t.Helper()
	s, err := statement.New(e)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The lines add up to the parts, these to the totals, whatever they are.
func TestLinesAddUp(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		e := whole(t, seed, 0, 1)
		s := newStatement(t, e)
		var paid, baseline, routed, ofParts int64
		for _, l := range e.Lines {
			paid += l.PaidNanos
			baseline += l.BaselineNanos
			if l.Part == statement.PartRouted {
				routed += l.BaselineNanos - l.PaidNanos
			}
		}
		for _, p := range s.Parts {
			ofParts += p.PaidNanos
		}
		if s.Totals.PaidNanos != paid || s.Totals.BaselineNanos != baseline || s.ModelledNanos != routed || ofParts != paid || len(s.Lines) != len(e.Lines) {
			t.Fatalf("seed %d: %+v, %d modelled; want %d, %d, %d", seed, s.Totals, s.ModelledNanos, paid, baseline, routed)
		}
		slices.Reverse(e.Lines)
		if a, b := encode(t, s), encode(t, newStatement(t, e)); a != b && distinctLines(e.Lines) {
			t.Fatalf("seed %d: the order in which lines are read matters", seed)
		}
		if s.State != statement.Final || len(s.Reasons) > 0 {
			t.Fatalf("it is %s: %v", s.State, s.Reasons)
		}
	}
}

func distinctLines(all []statement.Line) bool {
	seen := map[statement.Line]bool{}
	for _, l := range all {
		l.Counted = statement.Counted{}
		if seen[l] {
			return false
		}
		seen[l] = true
	}
	return true
}

func encode(t testing.TB, s statement.Statement) string {
	t.Helper()
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Whatever is not shown makes a statement provisional, and says why.
func TestDoubts(t *testing.T) {
	t.Parallel()
	for says, change := range map[string]func(*statement.Evidence){
		"on their way":         func(e *statement.Evidence) { e.Watermark = time.Time{} },
		"way to the database":  func(e *statement.Evidence) { e.Waiting = 1 },
		"Redis does not say":   func(e *statement.Evidence) { e.Unasked = true },
		"the month ends":       func(e *statement.Evidence) { e.Watermark = e.Month.To().Add(-1) },
		"3 facts were":         func(e *statement.Evidence) { e.Missing = 3 },
		"2 requests":           func(e *statement.Evidence) { e.Open = 2 },
		"dead letters":         func(e *statement.Evidence) { e.Buried = 1 },
		"retention":            func(e *statement.Evidence) { e.Rollups.PaidNanos++ },
		"add up to":            func(e *statement.Evidence) { e.Rollups.Errors-- },
		"has counted up to 20": func(e *statement.Evidence) { e.Counted = e.Month.To().Add(-1) },
		"counted up":           func(e *statement.Evidence) { e.LastStored = e.Counted.Add(-59 * time.Second) },
		"7 users":              func(e *statement.Evidence) { e.Immature = 7 },
	} {
		e := whole(t, 1, 40, 0.5)
		change(&e)
		s := newStatement(t, e)
		if s.State != statement.Provisional || len(s.Reasons) != 1 || !strings.Contains(s.Reasons[0], says) {
			t.Errorf("%q: %s, %q", says, s.State, s.Reasons)
		}
	}
	e := whole(t, 1, 40, 0.5)
	e.Watermark = e.Month.To()
	if s := newStatement(t, e); s.State != statement.Final {
		t.Errorf("to the last moment: %q", s.Reasons)
	}
}

// A share is charged of what is proven to be saved at least, and of nothing
// else.
func TestShare(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		users   int
		factor  float64
		charged bool
	}{"proven": {500, 0.4, true}, "too few": {29, 0.4, false}, "the same": {500, 1, false}, "dearer": {500, 2, false}} {
		s := newStatement(t, whole(t, 7, c.users, c.factor))
		charged, err := s.Charge(200_000)
		if err != nil || charged != c.charged || (s.Share != nil) != c.charged {
			t.Errorf("%s: charged %t, %+v, %v", name, charged, s.Share, err)
		}
		if !charged {
			continue
		}
		p := s.Proven
		if p.Saving.Low != p.PerRequest.Low*p.Requests || p.Saving.Nanos != p.PerRequest.Nanos*p.Requests || !(p.Saving.Low < p.Saving.Nanos && p.Saving.Nanos < p.Saving.High) {
			t.Errorf("%s: %+v", name, p)
		}
		if want := p.Saving.Low / 5; s.Share.Amount != want || s.Share.Of != statement.OfLowerBound {
			t.Errorf("a fifth of %d is %d, not %d", p.Saving.Low, want, s.Share.Amount)
		}
	}
}

func TestParseShare(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0.2": 200_000, "1": 1_000_000, "0.000001": 1, "1/4": 250_000, "0": 0, "-0.1": 0, "1.1": 0, "0.0000001": 0,
		"": 0, "x": 0, "1e-999999999": 0, "20%": 0} {
		got, err := statement.ParseShare(text)
		if got != want || (err != nil) != (want == 0) {
			t.Errorf("%q is %d, %v", text, got, err)
		}
	}
}

func TestMonths(t *testing.T) {
	t.Parallel()
	for text, days := range map[string]int{"2026-11": 30, "2026-12": 31, "2028-02": 29, "2026-02": 28} {
		if m := month(t, text); m.String() != text || m.Days() != days || m.To().Sub(m.From()) != time.Duration(days)*24*time.Hour {
			t.Errorf("%s has %d days", text, m.Days())
		}
	}
	for _, text := range []string{"", "2026-13", "2026-1", "26-11", "2026-11-01", "0000-01", "1999-12", " 2026-11"} {
		if _, err := statement.ParseMonth(text); !errors.Is(err, statement.ErrMonth) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What does not fit is refused, not wrapped around.
func TestOverflow(t *testing.T) {
	t.Parallel()
	e := whole(t, 1, 0, 1)
	e.Lines = []statement.Line{{Part: statement.PartNamed}, {Part: statement.PartNamed}}
	e.Lines[0].PaidNanos, e.Lines[1].PaidNanos = math.MaxInt64, 1
	if _, err := statement.New(e); !errors.Is(err, statement.ErrTooMuch) {
		t.Errorf("%v", err)
	}
	e.Lines[1].PaidNanos = 0
	if s := newStatement(t, e); s.Totals.PaidNanos != math.MaxInt64 {
		t.Errorf("%d", s.Totals.PaidNanos)
	}
	e.Lines[0].Part = "tips"
	if _, err := statement.New(e); err == nil {
		t.Error("an unknown part is taken")
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	s := newStatement(t, whole(t, 3, 0, 1))
	s.Lines = s.Lines[:1]
	s.Lines[0].Model, s.Lines[0].KeyID = "=1+1", "a,b"
	var text strings.Builder
	if err := s.WriteCSV(&text); err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(text.String(), "\n")
	if len(rows) != 3 || !strings.Contains(rows[1], `,"a,b",'=1+1,large,`) || strings.Count(rows[0], ",") != 15 {
		t.Errorf("%s", text.String())
	}
}
