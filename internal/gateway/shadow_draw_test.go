package gateway

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/routing"
)

// Draws are even, and know nothing of the plan's chance nor of each other: in
// every corner of the cube that the three span lie as many requests.
func TestDrawsAreEvenAndApart(t *testing.T) {
	t.Parallel()
	const n, side = 64_000, 4
	var corners [side * side * side]float64
	for range n {
		id := uuid.Must(uuid.NewV7())
		whether, which := drawOf(id)
		at := 0
		for _, x := range []float64{chanceOf(id), whether, which} {
			if !(x >= 0 && x < 1) {
				t.Fatalf("a draw of %s is %v", id, x)
			}
			at = at*side + int(x*side)
		}
		corners[at]++
	}
	square, mean := 0.0, n/float64(len(corners))
	for _, seen := range corners {
		square += (seen - mean) * (seen - mean) / mean
	}
	if free := float64(len(corners) - 1); square > free+6*math.Sqrt(2*free) {
		t.Errorf("χ² is %.0f at %.0f degrees of freedom: %v", square, free, corners)
	}
}

// Who is not drawn costs nothing more.
func TestUndrawnRequestsAllocateNothing(t *testing.T) {
	g := new(Gateway)
	g.Shadow = NewShadow(g, ShadowOptions{Share: 1e-12})
	r := Request{Ask: llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Content: "Why?"}}}}
	d := decision{Plan: routing.Plan{Learns: true, Choices: make([]routing.Choice, 3)}}
	f := event.NewCompletion(uuid.Must(uuid.NewV7()))
	f.Status = event.StatusOK
	o := outcome{}
	if n := testing.AllocsPerRun(100, func() { g.Shadow.offer(&r, &d, f, &o) }); n != 0 {
		t.Errorf("an offer allocates %v times", n)
	}
	g.Shadow.Share = 1
	if n := testing.AllocsPerRun(100, func() { g.Shadow.offer(&r, &d, f, &o) }); n != 0 {
		t.Errorf("an offer that is taken, or finds no room, allocates %v times", n)
	}
	if len(g.Shadow.pairs) != shadowsWaiting || g.Shadow.Stats().Skipped(SkipFull) != 101-shadowsWaiting {
		t.Errorf("%d wait, %d found no room", len(g.Shadow.pairs), g.Shadow.Stats().Skipped(SkipFull))
	}
}

// However calls and readings come, no more is held and spent than the limit,
// and a new day begins anew.
func TestPurse(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 11, 26, 0, 0, 1, 0, time.UTC)
	p := purse{limit: 1000}
	var spent, stored, held pricing.Nanos
	var calls []pricing.Nanos
	for range 3000 {
		now = now.Add(time.Second)
		switch r.IntN(4) {
		case 0, 1:
			most := pricing.Nanos(r.Int64N(60))
			if ok := p.hold(now, most); ok {
				calls, held = append(calls, most), held+most
			} else if spent+held+most <= 1000-2*120*60 {
				t.Fatalf("%d is refused with %d spent and %d held", most, spent, held)
			}
		case 2:
			if len(calls) > 0 {
				cost := pricing.Nanos(r.Int64N(int64(calls[0]) + 1))
				p.pay(now, calls[0], cost)
				held, spent, calls = held-calls[0], spent+cost, calls[1:]
			}
		case 3:
			p.read(now, stored) // as it was at the reading before
			stored = spent
		}
		if spent+held > 1000 {
			t.Fatalf("%d are spent and %d held of 1000", spent, held)
		}
	}
	if spent < 900 {
		t.Errorf("only %d of 1000 were spent", spent)
	}
	for _, most := range calls {
		p.pay(now, most, 0)
	}
	p.read(now, spent)
	p.read(now, spent)
	if left := 1000 - spent; !p.hold(now, left) || p.hold(now, 1) {
		t.Errorf("of %d left, another sum can be had", left)
	}
	p.pay(now, 1000-spent, 0)
	if tomorrow := now.Add(24 * time.Hour); !p.hold(tomorrow, 1000) || p.hold(tomorrow, 1) {
		t.Error("the next day has another budget")
	}
}
