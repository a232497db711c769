package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// purse keeps to what a day may cost, of what all processes spend. What is
// stored is behind by some seconds, so of this process's own spending the last
// two stretches between readings are added: less than is left is spent, never
// more, but for what other processes spend at the same moment.
type purse struct {
	limit pricing.Nanos

	mu     sync.Mutex
	day    time.Time
	stored pricing.Nanos // as it was read last, by all
	before pricing.Nanos // own, in the stretch before that
	since  pricing.Nanos // own, after it
	held   pricing.Nanos // for calls under way
}

// hold puts by what a call may cost. It is false where too little is left.
func (p *purse) hold(now time.Time, most pricing.Nanos) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(now)
	if spent := p.stored + p.before + p.since + p.held; most > p.limit-spent {
		return false
	}
	p.held += most
	return true
}

// pay gives back what was held and takes what it cost.
func (p *purse) pay(now time.Time, held, cost pricing.Nanos) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(now)
	p.held -= held
	p.since += cost
}

// read takes what is stored of the day at now.
func (p *purse) read(now time.Time, stored pricing.Nanos) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(now)
	p.stored, p.before, p.since = stored, p.since, 0
}

// turn begins a day.
func (p *purse) turn(now time.Time) {
	if day := startOfDay(now); !day.Equal(p.day) {
		p.day, p.stored, p.before, p.since = day, 0, 0, 0
	}
}

// Skip is why nothing can be learned of a request that was drawn.
type Skip int

// The reasons.
const (
	SkipNone          Skip = iota
	SkipFull               // others wait already
	SkipAlone              // there is no other model with a price
	SkipBusy               // callers need the provider
	SkipBudget             // the day's is spent
	SkipLedger             // it cannot be recorded
	SkipFailed             // the second model gave no answer
	SkipUnfit              // a judge cannot be shown it
	SkipJudge              // the judge gave no verdict
	SkipContradiction      // the judge contradicted itself
	skips
)

// String is the reason as metrics name it.
func (s Skip) String() string {
	return [skips]string{"", "full", "alone", "busy", "budget", "ledger", "failed", "unfit", "judge", "contradiction"}[s]
}

// Skips lists the reasons.
func Skips() []Skip {
	var all []Skip
	for s := SkipFull; s < skips; s++ {
		all = append(all, s)
	}
	return all
}

// ShadowStats count what a Shadow has done. They are safe to read at any time.
type ShadowStats struct {
	asked, judged, cost atomic.Int64
	skipped             [skips]atomic.Int64
}

// Asked is how many second models were asked.
func (s *ShadowStats) Asked() int64 { return s.asked.Load() }

// Judged is how many pairs have verdicts.
func (s *ShadowStats) Judged() int64 { return s.judged.Load() }

// Cost is what second models and the judge have cost.
func (s *ShadowStats) Cost() pricing.Nanos { return pricing.Nanos(s.cost.Load()) }

// Skipped is how many requests taught nothing for a reason.
func (s *ShadowStats) Skipped(why Skip) int64 { return s.skipped[why].Load() }

func (s *ShadowStats) skip(why Skip) { s.skipped[why].Add(1) }
