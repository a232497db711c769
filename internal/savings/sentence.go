package savings

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sentence says the report in one plain sentence.
func (r *Report) sentence() string {
	if r.Modelled.Requests == 0 {
		return "Nothing was routed in this window."
	}
	against := "the baseline"
	if r.Baseline != "" {
		against = r.Baseline
	}
	sentence := r.costPhrase(against)
	if phrase := r.qualityPhrase(); phrase != "" {
		sentence += "; " + phrase
	}
	if r.Guard.State == GuardTripped {
		sentence += "; the guard has tripped, and " + against + " answers most requests"
	}
	return sentence + "."
}

func (r *Report) costPhrase(against string) string {
	p := r.Proven
	users := grouped(p.HoldoutUsers) + " hold-out users"
	switch p.State {
	case StateProven, StateDearer, StateOpen:
		if p.Pct.Value == nil || p.Pct.Low == nil {
			return fmt.Sprintf("Routing saves %s USD a request against %s, measured on %s", p.PerRequest.Savings, against, users)
		}
	default:
		return r.modelledPhrase(against) + fmt.Sprintf("; nothing is proven with %s: it takes %d", users, LeastUsers)
	}
	amount, low, high := *p.Pct.Value, *p.Pct.Low, *p.Pct.High
	switch p.State {
	case StateProven:
		return fmt.Sprintf("Routing saves %s %% (%s to %s) against %s, proven on %s", whole(amount), whole(low), whole(high), against, users)
	case StateDearer:
		return fmt.Sprintf("Routing costs %s %% (%s to %s) more than %s, proven on %s", whole(-amount), whole(-high), whole(-low), against, users)
	default:
		return fmt.Sprintf("Routing saves %s %% (%s to %s) against %s on %s, which proves nothing yet%s",
			whole(amount), whole(low), whole(high), against, users, soon(p.Decisive))
	}
}

func (r *Report) modelledPhrase(against string) string {
	if r.Modelled.SavingsPct == nil {
		return "Nothing can be said of savings against " + against + " without prices"
	}
	return fmt.Sprintf("By the price table, routing saves %s %% against %s", whole(*r.Modelled.SavingsPct), against)
}

func (r *Report) qualityPhrase() string {
	g := r.Good
	if g.Low == nil {
		return ""
	}
	direction, amount, low, high := "higher", g.Difference, *g.Low, *g.High
	if amount < 0 {
		direction, amount = "lower", -amount
	}
	phrase := fmt.Sprintf("good answers %s points %s (%s to %s)", points(amount), direction, points(low), points(high))
	switch g.State {
	case StateInside:
		return phrase + fmt.Sprintf(", inside the margin of %s", whole(100*g.Margin))
	case StateWorse:
		return phrase + fmt.Sprintf(", outside the margin of %s", whole(100*g.Margin))
	case StateLopsided:
		return phrase + ", of which nothing follows: one group rates more answers than the other"
	default:
		return phrase + fmt.Sprintf(", which does not settle the margin of %s%s", whole(100*g.Margin), soon(g.Decisive))
	}
}

// soon says when something will be known.
func soon(d Decisive) string {
	if d.Days == nil || *d.Days > 3650 {
		return ""
	}
	if *d.Days < 1 {
		return " (it may within a day)"
	}
	return fmt.Sprintf(" (it may in %s days)", grouped(int64(math.Ceil(*d.Days))))
}

// minus is the sign that goes with figures in a text.
func minus(s string) string { return strings.Replace(s, "-", "−", 1) }

func whole(x float64) string { return minus(strconv.FormatFloat(math.Round(x)+0, 'f', 0, 64)) }

// points writes a share's difference in hundredths of it.
func points(share float64) string {
	return minus(strconv.FormatFloat(math.Round(1000*share)/10+0, 'f', 1, 64))
}

// grouped writes 1,204.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
