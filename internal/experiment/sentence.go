package experiment

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sentence says a decision in one plain sentence.
func sentence(e *Experiment, d *Decision) string {
	var primary Reading
	var guards []string
	for _, r := range d.Readings {
		switch {
		case r.Arm != d.Arm:
		case r.Primary:
			primary = r
		case r.Guardrail:
			guards = append(guards, guardPhrase(r))
		}
	}
	found := strings.Join(append([]string{primaryPhrase(primary)}, guards...), "; ")
	switch d.Outcome {
	case Win:
		return found + ": win."
	case Lose:
		return found + ": lose; " + e.Arms[Control].Name + " stays."
	case TradeOff:
		return found + ": a trade-off, which is yours to decide."
	case Equivalent:
		return found + ": equivalent."
	case StoppedHarm:
		return "Stopped for harm: " + strings.Join(guards, "; ") + "; " + e.Arms[Control].Name + " stays."
	case InvalidSRM:
		return splitPhrase(e, d)
	case InvalidFeedback:
		return feedbackPhrase(e, d)
	default:
		return inconclusive(d, found, primary)
	}
}

func inconclusive(d *Decision, found string, primary Reading) string {
	switch d.Reason {
	case TooFewUnits:
		what := "had matured when the time was over"
		if primary.Metric == Quality {
			what = "were rated"
		}
		return fmt.Sprintf("Fewer than %d units of an arm %s, of %s in all: inconclusive.", minPerArm, what, grouped(int64(d.Units)))
	case GuardrailUnproven:
		return found + ": inconclusive, for it is not shown that the guardrails hold; a larger sample would tell."
	default:
		if low, high := ends(primary); low != nil && high != nil {
			return fmt.Sprintf("%s: inconclusive; a difference of more than %s is ruled out.", found, size(primary, math.Max(math.Abs(*low), math.Abs(*high))))
		}
		return found + ": inconclusive."
	}
}

// value is what of a reading people are told: points of shares, else per cent.
func value(r Reading) float64 {
	if r.Metric.share() {
		return 100 * r.Diff.Value
	}
	return 100 * r.Lift.Value
}

func ends(r Reading) (low, high *float64) {
	e := r.Lift
	if r.Metric.share() {
		e = r.Diff
	}
	if e.Low == nil || e.High == nil {
		return nil, nil
	}
	return new(100 * *e.Low), new(100 * *e.High)
}

// size is an amount with its unit.
func size(r Reading, x float64) string {
	if r.Metric.share() {
		if text := decimals(x); text != "1.0" {
			return text + " points"
		}
		return "1.0 point"
	}
	return decimals(x) + " %"
}

// primaryPhrase tells the size of the difference in its direction.
func primaryPhrase(r Reading) string {
	v := value(r)
	low, high := ends(r)
	if v < 0 && low != nil {
		low, high = new(-*high), new(-*low)
	}
	more, less := "has %s more good answers", "has %s fewer good answers"
	switch r.Metric {
	case Quality:
		more, less = "is rated %s higher", "is rated %s lower"
	case Cost:
		more, less = "costs %s more", "costs %s less"
	case Latency:
		more, less = "takes %s longer", "takes %s less time"
	}
	phrase := more
	if v < 0 {
		phrase = less
	}
	return titled(r.Arm) + " " + fmt.Sprintf(phrase, size(r, math.Abs(v))) + between(low, high)
}

// guardPhrase tells the difference with its sign, and how it stands to the
// margin.
func guardPhrase(r Reading) string {
	names := map[Metric]string{Good: "good answers", Quality: "quality", Slow: "slow requests"}
	if r.OK == nil {
		return names[r.Metric] + " not measured"
	}
	v := value(r)
	direction := " higher"
	if v < 0 {
		direction = " lower"
	}
	low, high := ends(r)
	stands := "not shown to be inside"
	bad := low
	if !r.Metric.HigherIsBetter() {
		bad = high
	}
	switch worst := 100 * r.Margin; {
	case *r.OK:
		stands = "inside"
	case bad != nil && beyond(r, low, high, worst):
		stands = "beyond"
	}
	return names[r.Metric] + " " + size(r, math.Abs(v)) + direction + between(low, high) + ", " + stands + " the margin of " + decimals0(100*r.Margin)
}

// beyond reports whether all of the interval is worse than the margin.
func beyond(r Reading, low, high *float64, margin float64) bool {
	if r.Metric.HigherIsBetter() {
		return *high < -margin
	}
	return *low > margin
}

func between(low, high *float64) string {
	if low == nil || high == nil {
		return ""
	}
	return " (" + decimals(*low) + " to " + decimals(*high) + ")"
}

// decimals writes a number with one decimal, or none where that says nothing.
func decimals(x float64) string {
	digits := 1
	if math.Abs(x) >= 10 {
		digits = 0
	}
	text := strconv.FormatFloat(x, 'f', digits, 64)
	if text == "-0.0" {
		text = "0.0"
	}
	return strings.Replace(text, "-", "−", 1)
}

func decimals0(x float64) string { return strconv.FormatFloat(math.Round(x*100)/100, 'g', -1, 64) }

func titled(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

func splitPhrase(e *Experiment, d *Decision) string {
	var parts []string
	total := 0.0
	expected := make([]float64, len(e.Arms))
	for i, phase := range d.Tallies {
		units := int64(0)
		for _, t := range phase {
			units += t.Units
		}
		total += float64(units)
		for arm, share := range e.Phases[i].Shares {
			expected[arm] += share * float64(units)
		}
	}
	for i, a := range e.Arms {
		parts = append(parts, fmt.Sprintf("%s of %s, %s were due", grouped(d.Tallies.units(i)), a.Name, grouped(int64(math.Round(expected[i])))))
	}
	return fmt.Sprintf("%s %ss were not split as planned (%s), so nothing that is compared can be trusted: no verdict; look for what loses or moves them between assignment and record.",
		grouped(int64(total)), e.Unit, strings.Join(parts, "; "))
}

func feedbackPhrase(e *Experiment, d *Decision) string {
	control, arm := d.Tallies.arm(Control), d.Tallies.arm(d.Feedback.Arm)
	rate := func(t Tally) string { return decimals(100 * float64(t.Rated) / float64(max(1, t.Requests))) }
	return fmt.Sprintf("Feedback came on %s %% of the requests of %s and on %s %% of those of %s, and the arm with less of it looks better: no verdict.",
		rate(control), e.Arms[Control].Name, rate(arm), e.Arms[d.Feedback.Arm].Name)
}

// grouped writes 12345 as 12,345.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
