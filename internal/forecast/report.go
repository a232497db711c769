package forecast

import (
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// Report is what would have been paid for the calls, and what for.
type Report struct {
	Calls    int            `json:"calls"`
	From     *time.Time     `json:"from"` // null where the log does not say
	To       *time.Time     `json:"to"`
	Days     float64        `json:"days"` // that the log covers; 0: not known
	Baseline string         `json:"baseline"`
	Models   []string       `json:"models"`
	Billed   *Billed        `json:"billed"` // null: the log says nothing of costs
	AsIs     Policy         `json:"as_it_was"`
	Policies []Policy       `json:"policies"`
	Skipped  []SkippedLines `json:"skipped"`
}

// Billed is what the log itself says that calls cost.
type Billed struct {
	Calls int           `json:"calls"`
	USD   pricing.Nanos `json:"usd"`
}

// Policy is what one policy would have paid, and got.
type Policy struct {
	Name       string             `json:"name"`
	USD        pricing.Nanos      `json:"usd"`         // for all calls
	MonthUSD   *Interval          `json:"month_usd"`   // null where the days are not known
	SavedUSD   *Interval          `json:"saved_usd"`   // a month, against what it was
	SavedShare Interval           `json:"saved_share"` // of what it was
	Kept       *Range             `json:"quality_kept"`
	MixKept    *Range             `json:"mix_quality_kept"` // by the random mix of cheapest and baseline that costs the same; null where there is none
	Models     map[string]float64 `json:"models"`           // share of calls for each
}

// Range is a predicted quality, as a share of the baseline's, with the lowest
// and the highest that there is reason to expect. It is no interval: nobody has
// rated these answers.
type Range struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// SkippedLines are lines of the log that could not be used for one reason.
type SkippedLines struct {
	Reason  string `json:"reason"`
	Count   int    `json:"count"`
	First   int    `json:"first_line"`
	Example string `json:"example,omitempty"`
}

// month is a twelfth of a year, in days.
const month = 365.25 / 12

// Report reports. days is how many the log covers; 0 means as its times say.
func (f *Forecast) Report(days float64) Report {
	r := Report{Calls: f.calls, Days: days, Baseline: f.o.Baseline, Skipped: []SkippedLines{}}
	for _, c := range f.o.Candidates {
		r.Models = append(r.Models, c.Model.ID)
	}
	if !f.from.IsZero() {
		r.From, r.To = &f.from, &f.to
		if days == 0 {
			r.Days = f.to.Sub(f.from).Hours() / 24
		}
	}
	if f.billed > 0 {
		r.Billed = &Billed{Calls: f.billed, USD: f.billedNanos}
	}
	r.AsIs = f.policy(asIs, r.Days)
	for _, p := range []int{hybrid, complexity, cheapest, baseline} {
		r.Policies = append(r.Policies, f.policy(p, r.Days))
	}
	return r
}

func name(p int) string {
	return [policies]string{asIs: "as it was", complexity: "complexity", hybrid: "hybrid, cold",
		cheapest: "always the cheapest", baseline: "always the baseline"}[p]
}

func (f *Forecast) policy(p int, days float64) Policy {
	reported := Policy{Name: name(p), USD: pricing.Nanos(f.nanos[p]), Models: map[string]float64{}}
	for m, n := range f.chosen[p] {
		reported.Models[m] = float64(n) / float64(max(1, f.calls))
	}
	if days > 0 {
		monthly := f.over(func(d *[policies]float64) float64 { return d[p] * month / days })
		saved := f.over(func(d *[policies]float64) float64 { return (d[asIs] - d[p]) * month / days })
		reported.MonthUSD, reported.SavedUSD = &monthly, &saved
	}
	reported.SavedShare = f.over(func(d *[policies]float64) float64 {
		if d[asIs] <= 0 {
			return 0
		}
		return 1 - d[p]/d[asIs]
	})
	if f.calls == 0 || p == asIs && f.unknownQuality > 0 {
		return reported
	}
	kept, mix := f.kept(p), f.mix(p)
	if mix != nil && (p == complexity || p == hybrid) {
		kept.Low = min(kept.Low, mix.Low)
		reported.MixKept = mix
	}
	reported.Kept = &kept
	return reported
}

// kept is a policy's predicted quality over the baseline's, by all predictors.
func (f *Forecast) kept(p int) Range {
	return f.spread(func(by int) float64 { return f.quality[p][by] / f.quality[baseline][by] })
}

// mix is what a coin between the cheapest model and the baseline keeps at a
// policy's cost: a router that knows nothing gets that.
func (f *Forecast) mix(p int) *Range {
	low, high := f.nanos[cheapest], f.nanos[baseline]
	if !(low < high && f.nanos[p] >= low && f.nanos[p] <= high) {
		return nil
	}
	share := float64(f.nanos[p]-low) / float64(high-low)
	r := f.spread(func(by int) float64 {
		return share + (1-share)*f.quality[cheapest][by]/f.quality[baseline][by]
	})
	return &r
}

func (f *Forecast) spread(by func(predictor int) float64) Range {
	r := Range{Estimate: by(byBoth)}
	r.Low, r.High = r.Estimate, r.Estimate
	for p := range predictors {
		r.Low, r.High = min(r.Low, by(p)), max(r.High, by(p))
	}
	return r
}
