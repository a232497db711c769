package measure

import (
	"fmt"
	"strings"
)

// Goal is what a figure or a ratio is to reach.
type Goal struct {
	What   string
	Of     func() (Summary, bool) // false: not measured in this run
	Target float64
	AtMost bool // else at least
	Whence string
}

// Met reports whether the median reaches the goal.
func (g Goal) Met(s Summary) bool {
	if g.AtMost {
		return s.Median <= g.Target
	}
	return s.Median >= g.Target
}

// WriteGoals is a table of those that were measured.
func WriteGoals(b *strings.Builder, goals []Goal) {
	b.WriteString("| what | measured | spread | goal | |\n| --- | ---: | ---: | ---: | --- |\n")
	for _, g := range goals {
		s, ok := g.Of()
		if !ok {
			continue
		}
		sign, verdict := "≥", "met"
		if g.AtMost {
			sign = "≤"
		}
		if !g.Met(s) {
			verdict = "**missed**"
		}
		if g.Whence != "" {
			verdict += "; " + g.Whence
		}
		fmt.Fprintf(b, "| %s | %s | %s–%s | %s %s | %s |\n", g.What, Number(s.Median), Number(s.Least), Number(s.Most),
			sign, Number(g.Target), verdict)
	}
}

// Number has as many digits as mean something.
func Number(x float64) string {
	switch {
	case x < 0:
		return "−" + Number(-x)
	case x >= 1000:
		return grouped(int64(x + .5))
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.2f", x)
	}
}

func grouped(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}
