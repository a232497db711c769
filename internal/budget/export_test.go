package budget

import (
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// What tests play with a clock of their own.

// NewPurse makes an empty purse.
func NewPurse(a Account) *Purse { return newPurse(a) }

// Try reserves without waiting.
func (p *Purse) Try(now, at time.Time, limit, most pricing.Nanos) (Holds, bool) {
	h := Holds{at: at}
	if p.reserve(now, limit, most, -1) != granted {
		return h, false
	}
	h.add(p, most)
	h.Begin(now)
	return h, true
}

// Report says how things stand.
func (p *Purse) Report(now time.Time) Report { return p.report(now) }

// Take hears a reply.
func (p *Purse) Take(made, now time.Time, said Report, r Reply) { p.take(made, now, said, r) }

// Fail hears that there is none.
func (p *Purse) Fail(now time.Time) { p.fail(now) }

// Due reports whether the desk should hear of it.
func (p *Purse) Due(now time.Time) bool { due, _ := p.due(now); return due }
