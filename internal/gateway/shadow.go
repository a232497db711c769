package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/routing"
)

// ShadowOptions say how often a second model is asked, and what that may cost.
type ShadowOptions struct {
	Share  float64       // of the requests that can teach, 0 … 1
	Budget pricing.Nanos // of second models and the judge, a day in UTC
	Judge  string        // id of the model that rates both answers; "": nobody does

	// Spent reads what all processes have spent on it since a moment, as far as
	// it is stored. nil: only this process's spending is known.
	Spent func(ctx context.Context, since time.Time) (pricing.Nanos, error)
	// Room reports whether a provider has room beside what callers ask of it.
	// nil: it always has.
	Room func(provider string) bool
	Log  *slog.Logger
}

// Shadow asks second models, in the background, what others have answered, and
// has a judge rate both answers. It is paid like any call and is in the ledger;
// no caller waits for it: all that a request meets is a draw by its id, and for
// those that are drawn a place in a queue, or none where that is full.
type Shadow struct {
	ShadowOptions
	gateway *Gateway
	pairs   chan pair
	purse   purse
	stats   ShadowStats
}

const (
	shadowsAtOnce  = 8                // second models asked at a time
	shadowsWaiting = 64               // each holds its conversation
	shadowAfter    = time.Second      // from the answer: by then its caller has it
	shadowWithin   = 2 * time.Minute  // a second answer and its judging
	spentEvery     = time.Minute      // what others spent is read
	spentWithin    = 10 * time.Second // it can be read
)

// NewShadow gives the gateway's requests second models once it runs.
func NewShadow(g *Gateway, o ShadowOptions) *Shadow {
	return &Shadow{ShadowOptions: o, gateway: g, pairs: make(chan pair, shadowsWaiting), purse: purse{limit: o.Budget}}
}

// Stats gives the counters.
func (s *Shadow) Stats() *ShadowStats { return &s.stats }

// pair is an answered request of which a second model is to be asked.
type pair struct {
	request  Request // what is asked of a model, and for whom it is recorded
	decision decision
	answer   llm.Response
	which    float64 // of the models, 0 … 1
	at       time.Time
}

// offer takes a request that was answered, if it is drawn. It never waits, and
// allocates nothing.
//
// Only what strategies decided that learn can teach, and only where the planned
// model itself has answered, in full. Whether a request is drawn must not
// depend on anything that was decided: its propensities would not hold.
func (s *Shadow) offer(r *Request, d *decision, f *event.CompletionRecorded, o *outcome) {
	if s == nil || !d.Learns || len(d.Choices) < 2 || f.Status != event.StatusOK || len(f.Fallbacks) > 0 ||
		r.Ask.Format != llm.FormatChat || r.Ask.N > 1 {
		return
	}
	whether, which := drawOf(f.ID)
	if whether >= s.Share {
		return
	}
	p := pair{decision: *d, answer: o.response, which: which, at: time.Now()}
	p.request = Request{ID: f.ID, Project: r.Project, KeyID: r.KeyID, Ask: r.Ask}
	select {
	case s.pairs <- p:
	default:
		s.stats.skip(SkipFull)
	}
}

// drawOf says whether a request is drawn and which model is asked, each uniform
// in 0 … 1. Both come from all bits of its id, so that replicas agree, and mixed,
// so that they tell nothing of the plan's chance, which is some of these bits as
// they are: there are too few others that are random.
func drawOf(id uuid.UUID) (whether, which float64) {
	const golden = 0x9e3779b97f4a7c15
	x := mixed(mixed(binary.BigEndian.Uint64(id[:8])+golden) + binary.BigEndian.Uint64(id[8:]))
	const bits = 53 // that a float64 holds
	unit := func(x uint64) float64 { return float64(x>>(64-bits)) / (1 << bits) }
	return unit(x), unit(mixed(x + golden))
}

// mixed is the finaliser of SplitMix64: each bit of x turns half of its bits.
func mixed(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Run asks until ctx ends; calls under way end with it, and are recorded.
func (s *Shadow) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for range shadowsAtOnce {
		workers.Go(func() { s.serve(ctx) })
	}
	if s.Spent != nil {
		workers.Go(func() { s.follow(ctx) })
	}
	workers.Wait()
	return nil
}

func (s *Shadow) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-s.pairs:
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Until(p.at.Add(shadowAfter))):
			}
			if ctx.Err() != nil { // chance falls on either where both are true
				return
			}
			s.stats.skip(s.answer(ctx, p))
		}
	}
}

// follow reads what all processes spend.
func (s *Shadow) follow(ctx context.Context) {
	for ctx.Err() == nil {
		now := time.Now()
		reading, cancel := context.WithTimeout(ctx, spentWithin)
		spent, err := s.Spent(reading, startOfDay(now))
		cancel()
		if err == nil {
			s.purse.read(now, spent)
		} else if ctx.Err() == nil {
			s.Log.Debug("what second models cost cannot be read now: this process's spending is added to what was read last", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(spentEvery):
		}
	}
}

// answer has a second model answer, and a judge rate both. It says why nothing
// can be learned of it, SkipNone if something can.
func (s *Shadow) answer(ctx context.Context, p pair) (skipped Skip) {
	ctx, cancel := context.WithTimeout(ctx, shadowWithin)
	defer cancel()
	defer func() {
		if broken := recover(); broken != nil { // it must not end the process, which serves
			s.Log.Error("asking a second model panicked", "request_id", p.request.ID, "panic", broken)
			skipped = SkipFailed
		}
	}()
	second, ok := routing.Second(p.decision.Plan, p.which)
	if !ok {
		return SkipAlone
	}
	choice := second.Choices[0]
	if s.Room != nil && !s.Room(choice.Model.Provider) {
		return SkipBusy
	}
	second.Strategy, second.Confidence = event.StrategyShadow, ""
	d := decision{Plan: second, tokensIn: p.decision.tokensIn, features: p.decision.features,
		reason: fmt.Sprintf("Asked in the background, beside %s, to learn which answers better.", p.decision.Choices[0].Model.ID)}
	r := p.request
	r.Ask.Body, r.Ask.Headers, r.Ask.Emit = nil, nil, nil // they are the caller's, and may want pieces
	response, f, skipped := s.call(ctx, r, d)
	if skipped != SkipNone {
		return skipped
	}
	s.stats.asked.Add(1)
	if f.Failed() {
		return SkipFailed
	}
	if s.Judge == "" {
		return SkipNone
	}
	return s.judge(ctx, p, f, response)
}

// call makes one call that nobody waits for, of the plan's first model only,
// within the budget and in the ledger. r.ID is the request that it is made for.
func (s *Shadow) call(ctx context.Context, r Request, d decision) (llm.Response, *event.CompletionRecorded, Skip) {
	held := d.Choices[0].UpperCost
	if !s.purse.hold(time.Now(), held) {
		return llm.Response{}, nil, SkipBudget
	}
	origin := r.ID
	id, err := uuid.NewV7()
	if err != nil {
		s.purse.pay(time.Now(), held, 0)
		return llm.Response{}, nil, SkipFailed
	}
	r.ID = id
	f := s.gateway.begin(&r, &d)
	f.OriginID = origin
	cost := pricing.Nanos(0)
	defer func() { s.purse.pay(time.Now(), held, cost) }()
	if err := s.gateway.Ledger.Intend(f); err != nil {
		return llm.Response{}, nil, SkipLedger
	}
	r.KeyID = "" // it takes no turn of the key's callers
	d.Choices = d.Choices[:1]
	o, err := s.gateway.settle(ctx, &r, &d, f, time.Now())
	cost = pricing.Nanos(f.CostNanos)
	s.stats.cost.Add(f.CostNanos)
	if err != nil {
		return llm.Response{}, nil, SkipLedger
	}
	if o.err != nil && !errors.Is(o.err, context.Canceled) {
		s.Log.Debug("a call in the background failed", "model", f.Model, "for", origin, "err", o.err)
	}
	return o.response, f, SkipNone
}
