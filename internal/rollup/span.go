package rollup

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Bounds of a history.
const (
	LongestSpan = 90 * day
	MostSteps   = 2_200  // of a history
	MostPoints  = 15_000 // of all names together
	MostNames   = 50
	UsualNames  = 10
)

// Span is what a history is asked for: a stretch of time up to now, in steps.
type Span struct {
	Length time.Duration
	Step   time.Duration // one of Steps
	By     string        // a kind of dimension; "" for all requests together
	Top    int           // names that get a series of their own; the rest are added up
}

// Steps are those that a history may have, shortest first.
func Steps() []time.Duration { return []time.Duration{time.Minute, 5 * time.Minute, time.Hour, day} }

// SpanKinds are the dimensions that a history may be told by.
func SpanKinds() []string {
	return []string{KindStrategy, KindModel, KindProvider, KindConfidence, KindCache, KindError, KindFallback, KindArm}
}

// UsualStep is the step for a stretch of time of which nobody says more: a few
// hundred points at most.
func UsualStep(length time.Duration) time.Duration {
	switch {
	case length <= 3*time.Hour:
		return time.Minute
	case length <= day:
		return 5 * time.Minute
	case length <= 14*day:
		return time.Hour
	default:
		return day
	}
}

var lengthPattern = regexp.MustCompile(`^([1-9][0-9]{0,5})(m|h|d)$`)

// ParseLength reads a stretch of time such as 90m, 24h or 30d.
func ParseLength(text string) (time.Duration, error) {
	parts := lengthPattern.FindStringSubmatch(text)
	if parts == nil {
		return 0, fmt.Errorf("%q is not a number of minutes, hours or days, such as 90m, 24h or 30d", text)
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0, err
	}
	return time.Duration(n) * map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": day}[parts[2]], nil
}

// LengthText is the shortest text that ParseLength reads as d, which is whole
// minutes.
func LengthText(d time.Duration) string {
	switch {
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
}

// Points is how many steps there are: the length in steps, a begun one whole.
func (s Span) Points() int { return int((s.Length + s.Step - 1) / s.Step) }

// From is the beginning of the span at now. Steps begin where Unix time is a
// multiple of them, days at midnight UTC; the newest is still being filled.
func (s Span) From(now time.Time) time.Time {
	return now.UTC().Truncate(s.Step).Add(s.Step - time.Duration(s.Points())*s.Step)
}

// To is the end of the newest step.
func (s Span) To(now time.Time) time.Time {
	return s.From(now).Add(time.Duration(s.Points()) * s.Step)
}

// EarliestFrom is the beginning, at now, of the longest span in such steps, and
// of its day.
func EarliestFrom(step time.Duration, now time.Time) time.Time {
	return Span{Length: min(MostSteps*step, LongestSpan), Step: step}.From(now).Truncate(day)
}

// Validate says which part of the span is wrong, by the name of the part, and
// how.
func (s Span) Validate() (part, fault string) {
	switch {
	case s.Length < time.Minute || s.Length > LongestSpan:
		return "window", "must be from 1m to 90d"
	case !slices.Contains(Steps(), s.Step):
		return "step", "must be one of: 1m, 5m, 1h, 1d"
	case s.Step > s.Length:
		return "step", "must not be longer than the window"
	case s.By != "" && !slices.Contains(SpanKinds(), s.By):
		return "by", "must be one of: " + strings.Join(SpanKinds(), ", ")
	case s.Top < 1 || s.Top > MostNames:
		return "top", fmt.Sprintf("must be a whole number from 1 to %d", MostNames)
	case s.Points() > MostSteps:
		return "step", fmt.Sprintf("gives %d points, allowed are %d: use a longer step or a shorter window", s.Points(), MostSteps)
	case s.By != "" && s.Points()*(s.Top+1) > MostPoints:
		return "step", fmt.Sprintf("gives %d points for each of up to %d names, allowed are %d in all: use a longer step, a shorter window or a smaller top",
			s.Points(), s.Top+1, MostPoints)
	}
	return "", ""
}
