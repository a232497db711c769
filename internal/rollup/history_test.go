package rollup_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/rollup"
)

// piecesOf are those that a store would hold of facts: several of a name in a
// step, in no order.
func piecesOf(r *rand.Rand, facts []*event.CompletionRecorded, step time.Duration) []rollup.Piece {
	var pieces []rollup.Piece
	for len(facts) > 0 {
		n := 1 + r.IntN(len(facts))
		for slot, c := range rollup.Sum(facts[:n], step) {
			pieces = append(pieces, rollup.Piece{Start: slot.Start, Dim: slot.Dim, Cell: *c, Latency: packs(c.Latency),
				TTFT: packs(c.TTFT), Overhead: packs(c.Overhead)})
		}
		facts = facts[n:]
	}
	r.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
	return pieces
}

func packs(s rollup.Sketch) []byte { return s.AppendPacked(nil) }

// A history says of every step what the facts in it add up to, whatever the
// span; what no series has is in the rest.
func TestHistoryAddsUpToTheFacts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 34, 56, 0, time.UTC)
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 7))
		span := rollup.Span{Step: rollup.Steps()[r.IntN(4)], Top: 1 + r.IntN(3)}
		span.Length = min(span.Step*time.Duration(1+r.IntN(30)), rollup.LongestSpan)
		if kinds := rollup.SpanKinds(); r.IntN(4) > 0 {
			span.By = kinds[r.IntN(len(kinds))]
		}
		if part, fault := span.Validate(); fault != "" {
			t.Fatalf("%+v: %s %s", span, part, fault)
		}
		var facts, inside []*event.CompletionRecorded
		for range r.IntN(400) {
			f := eventtest.Completion(r, now.Add(-time.Duration(r.Int64N(int64(span.Length+2*span.Step)))))
			if facts = append(facts, f); !f.At.Before(span.From(now)) {
				inside = append(inside, f)
			}
		}
		h, err := rollup.NewHistory(span, piecesOf(r, facts, span.Step), rollup.SourcePostgres, now)
		if err != nil {
			t.Fatal(err)
		}
		checkHistory(t, h, span, now, inside)
		want, err := json.Marshal(h)
		if got, fault := h.AppendJSON([]byte("before")); err != nil || fault != nil || string(got) != "before"+string(want) {
			t.Errorf("%+v is written\n%s, by reflection\n%s (%v, %v)", span, got, want, fault, err)
		}
	}
}

func checkHistory(t *testing.T, h rollup.History, span rollup.Span, now time.Time, facts []*event.CompletionRecorded) {
	t.Helper()
	if want := rollup.NewSums(cellsOf(facts)); h.Sums != want {
		t.Errorf("%+v: sums %+v, want %+v", span, h.Sums, want)
	}
	if len(h.Points) != span.Points() || h.From != span.From(now) || h.To.Before(now) || h.To.After(now.Add(span.Step)) {
		t.Fatalf("%+v: %d points from %s to %s", span, len(h.Points), h.From, h.To)
	}
	report := rollup.NewReport(rollup.Windows()[0], cellsOf(facts), "", now)
	if !reflect.DeepEqual([]rollup.Quantiles{h.LatencyMS, h.TTFTMS, h.OverheadMS}, []rollup.Quantiles{report.LatencyMS, report.TTFTMS, report.OverheadMS}) {
		t.Errorf("%+v: quantiles %+v, want %+v", span, h.LatencyMS, report.LatencyMS)
	}
	at := h.From
	for _, p := range h.Points {
		step := rollup.NewReport(rollup.Windows()[0], cellsOf(within(facts, at, span.Step)), "", now)
		got := rollup.Sums{TotalRequests: p.Requests, Errors: p.Errors, Unpriced: step.Unpriced, TokensIn: p.TokensIn, TokensOut: p.TokensOut,
			CostUSD: p.CostUSD, BaselineCostUSD: p.BaselineCostUSD, SavingsUSD: p.SavingsUSD, SavingsPct: step.SavingsPct}
		if !p.At.Equal(at) || got != step.Sums || !reflect.DeepEqual(p.LatencyMS, step.LatencyMS) || !reflect.DeepEqual(p.OverheadMS, step.OverheadMS) {
			t.Errorf("%+v: at %s %+v, want %+v", span, at, p, step.Sums)
		}
		at = at.Add(span.Step)
	}
	checkSeries(t, h, span, facts)
}

func checkSeries(t *testing.T, h rollup.History, span rollup.Span, facts []*event.CompletionRecorded) {
	t.Helper()
	left := map[string]*rollup.Cell{}
	for d, c := range cellsOf(facts) {
		if d.Kind == span.By && d.Name != "" {
			left[d.Name] = c
		}
	}
	if (h.By == nil) != (span.By == "") || len(h.Series) != min(len(left), span.Top+1) {
		t.Fatalf("%+v: %d series of %d names", span, len(h.Series), len(left))
	}
	last := int64(1 << 60)
	for _, s := range h.Series {
		var want rollup.Cell
		if s.Other {
			for name, c := range left {
				want.Add(*c)
				delete(left, name)
			}
		} else if c := left[s.Name]; c != nil {
			want = *c
			delete(left, s.Name)
		}
		var n int64
		for _, p := range s.Points {
			n += p.Requests
		}
		if s.Requests != want.Requests || n != want.Requests || int64(s.CostUSD) != want.CostNanos || s.Errors != want.Errors || s.Requests > last && !s.Other {
			t.Errorf("%+v: series %q has %d requests, %d in its points, want %d; the one before %d", span, s.Name, s.Requests, n, want.Requests, last)
		}
		last = s.Requests
	}
	if len(left) > 0 {
		t.Errorf("%+v: no series has %v", span, left)
	}
}

func within(facts []*event.CompletionRecorded, from time.Time, step time.Duration) []*event.CompletionRecorded {
	return slices.DeleteFunc(slices.Clone(facts), func(f *event.CompletionRecorded) bool {
		return f.At.Before(from) || !f.At.Before(from.Add(step))
	})
}

func cellsOf(facts []*event.CompletionRecorded) rollup.Cells {
	cells := rollup.Cells{}
	for slot, c := range rollup.Sum(facts, time.Second) {
		cells.Add(slot.Dim, *c)
	}
	return cells
}

// A name that is "other" is not the rest, and both are told apart.
func TestOtherIsNoName(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	span := rollup.Span{Length: time.Hour, Step: time.Hour, By: rollup.KindModel, Top: 1}
	var pieces []rollup.Piece
	for i, name := range []string{"a", "b", "other"} {
		pieces = append(pieces, rollup.Piece{Start: now.Unix() / 3600 * 3600, Dim: rollup.Dim{Kind: rollup.KindModel, Name: name}, Cell: rollup.Cell{Requests: int64(i + 1)}})
	}
	h, err := rollup.NewHistory(span, pieces, "", now)
	if err != nil {
		t.Fatal(err)
	}
	if s := h.Series; len(s) != 2 || s[0].Name != "other" || s[0].Other || !s[1].Other || s[1].Names != 2 || s[1].Requests != 3 {
		t.Errorf("%+v", s)
	}
}

// Piles are sketches in another form.
func TestPilesAreSketches(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	var pile, again, sum rollup.Pile
	for range 200 {
		sketch := rollup.Sketch{}
		for part := range 1 + r.IntN(4) {
			more := rollup.Sketch{}
			for range r.IntN(20) {
				bin, n := rollup.Bin(r.Int64N(1<<r.IntN(53)+1)), 1+r.Int64N(1000)
				more.Count(bin, n)
				sketch.Count(bin, n)
			}
			to := &pile
			if part%2 == 1 {
				to = &again
			}
			if err := to.AddPacked(more.AppendPacked(nil)); err != nil {
				t.Fatal(err)
			}
		}
		sum.Add(&pile)
		sum.Add(&again)
		got, want := sum.Quantiles(), sketch.Quantiles(.5, .95, .99)
		if (want == nil) != (got.P50 == nil) || want != nil && !slices.Equal(want, []float64{*got.P50, *got.P95, *got.P99}) {
			text, _ := json.Marshal(got)
			t.Fatalf("%v has the quantiles %s, want %v", sketch, text, want)
		}
		pile.Reset()
		again.Reset()
		sum.Reset()
	}
	for _, bad := range [][]byte{{0x80}, {1}, {0xff, 0xff, 3, 1}, {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}} {
		if err := new(rollup.Pile).AddPacked(bad); err == nil {
			t.Errorf("%v is taken for a sketch", bad)
		}
	}
}

func TestSpans(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"1m": time.Minute, "90m": 90 * time.Minute, "24h": 24 * time.Hour, "90d": 90 * 24 * time.Hour} {
		if got, err := rollup.ParseLength(text); err != nil || got != want {
			t.Errorf("%s is %s (%v)", text, got, err)
		}
	}
	for _, text := range []string{"", "0m", "1", "m", "1s", "-1h", "1.5h", "1h30m", "1000000m", "1w", "1h ", "01h"} {
		if got, err := rollup.ParseLength(text); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
	for _, want := range []string{"1m", "90m", "1h", "36h", "1d", "90d"} {
		length, err := rollup.ParseLength(want)
		if got := rollup.LengthText(length); err != nil || got != want {
			t.Errorf("%s is written %s (%v)", want, got, err)
		}
		span := rollup.Span{Length: length, Step: rollup.UsualStep(length), By: rollup.KindModel, Top: rollup.UsualNames}
		if part, fault := span.Validate(); fault != "" {
			t.Errorf("the usual step of %s: %s %s", want, part, fault)
		}
	}
	for want, span := range map[string]rollup.Span{
		"window must be from": {Length: 91 * 24 * time.Hour, Step: time.Hour, Top: 1},
		"step must be one of": {Length: time.Hour, Step: time.Second, Top: 1},
		"step must not":       {Length: time.Hour, Step: 24 * time.Hour, Top: 1},
		"by must":             {Length: time.Hour, Step: time.Minute, By: "all", Top: 1},
		"top must":            {Length: time.Hour, Step: time.Minute, By: "model", Top: 51},
		"step gives 2880":     {Length: 48 * time.Hour, Step: time.Minute, Top: 1},
		"step gives 2016":     {Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, By: "model", Top: 10},
	} {
		if part, fault := span.Validate(); !strings.HasPrefix(part+" "+fault, want) {
			t.Errorf("%+v: %s %s, want %s", span, part, fault, want)
		}
	}
}

// TestFallbacksAndArms: each once, and those that fell back in all.
func TestFallbacksAndArms(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 9))
	now := time.Date(2026, 11, 23, 12, 34, 56, 0, time.UTC)
	var facts []*event.CompletionRecorded
	for _, failed := range [][]string{nil, {"small"}, {"small", "medium", "small"}, {"", "medium"}} {
		f := eventtest.Completion(r, now.Add(-time.Minute))
		f.Fallbacks, f.Experiments = failed, []event.Arm{{Experiment: "e", Arm: "test"}, {Experiment: "e", Arm: "test"}}
		facts = append(facts, f)
	}
	got := rollup.NewReport(rollup.Windows()[1], cellsOf(facts), "", now).Fallbacks
	if want := (rollup.Fallbacks{Requests: 3, ByModel: map[string]int64{"small": 2, "medium": 2}}); !reflect.DeepEqual(got, want) {
		t.Errorf("fallbacks %+v, want %+v", got, want)
	}
	span := rollup.Span{Length: time.Hour, Step: time.Minute, By: rollup.KindArm, Top: 3}
	h, err := rollup.NewHistory(span, piecesOf(r, facts, span.Step), "", now)
	if err != nil || len(h.Series) != 1 || h.Series[0].Name != "e/test" || h.Series[0].Requests != 4 {
		t.Errorf("by arm %+v (%v)", h.Series, err)
	}
}
