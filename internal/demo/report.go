package demo

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/provider/simulated"
)

// Write prints the report: one screen, with units, and where to look next. It
// never prints the key. Errors of w are not reported: it is a terminal.
func (r Report) Write(w io.Writer) {
	var b strings.Builder
	r.headline(&b)
	if r.Answered > 0 {
		r.figures(&b)
		r.groups(&b)
		r.next(&b)
	}
	_, _ = io.WriteString(w, b.String())
}

func (r Report) headline(b *strings.Builder) {
	fmt.Fprintf(b, "%s of %s requests answered in %s s", grouped(r.Answered), grouped(r.Requested), tenths(r.Took))
	if r.Took > 0 {
		fmt.Fprintf(b, " (%.1f/s)", float64(r.Answered)/r.Took.Seconds())
	}
	if r.Interrupted {
		b.WriteString(", then interrupted")
	}
	b.WriteString("\n")
	if r.Failed > 0 {
		fmt.Fprintf(b, "%s failed (%s), the first with %s\n", grouped(r.Failed), r.failures(), r.FirstFault)
	}
}

// failures lists what was not a 200, such as "503 ×2, unreachable ×1".
func (r Report) failures() string {
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		if status != "200" || r.Answered == 0 {
			parts = append(parts, fmt.Sprintf("%s ×%s", status, grouped(r.Statuses[status])))
		}
	}
	return strings.Join(parts, ", ")
}

func (r Report) figures(b *strings.Builder) {
	line := func(name, format string, values ...any) {
		fmt.Fprintf(b, "  %-9s %s\n", name, fmt.Sprintf(format, values...))
	}
	b.WriteString("\n")
	line("cost", "%s USD, against %s USD on the baseline model%s", r.All.Cost, r.All.Baseline, r.notional())
	line("saving", "%s USD (%s), modelled from the same token counts", r.All.Savings(), share(int64(r.All.Savings()), int64(r.All.Baseline)))
	line("latency", "p50 %s ms   p95 %s ms   p99 %s ms, as this client saw it",
		milliseconds(r.Latencies.P50), milliseconds(r.Latencies.P95), milliseconds(r.Latencies.P99))
	if l := r.Live; l.All {
		line("live", "the live metrics had all of them %s s after the last answer", tenths(l.After))
	} else if l.Asked {
		line("live", "%s s after the last answer the live metrics had %s of them: is the aggregator running?",
			tenths(l.After), grouped(int(l.Shown)))
	}
	if r.All.Rated > 0 {
		line("quality", "%s of the answers were good, by the simulator's own truth", good(r.All))
		line("", "on the same prompts: %s", r.always())
	}
	if f := r.Feedback; f.Sent()+f.Refused > 0 {
		line("feedback", "%s verdicts sent by that truth, %s ratings and %s thumbs%s",
			grouped(f.Sent()), grouped(f.Ratings), grouped(f.Thumbs), f.refused())
	}
	if r.CutOff+r.FellBack+r.Degraded > 0 {
		line("of these", "%s cut off at max_tokens, %s after a fallback, %s degraded",
			grouped(r.CutOff), grouped(r.FellBack), grouped(r.Degraded))
	}
}

func (f Feedback) refused() string {
	if f.Refused == 0 {
		return ""
	}
	return fmt.Sprintf("; %s were not taken", grouped(f.Refused))
}

// notional says when the money is play money.
func (r Report) notional() string {
	if r.All.Rated == r.Answered {
		return " (simulated: nothing was spent)"
	}
	return ""
}

func (r Report) always() string {
	var parts []string
	for _, model := range simulated.Models() {
		parts = append(parts, fmt.Sprintf("always %s %s", model, share(int64(r.Always[model]), int64(r.All.Rated))))
	}
	return strings.Join(parts, ", ")
}

func (r Report) groups(b *strings.Builder) {
	const row = "  %-12s %10s %8s %14s %8s\n"
	for _, table := range []struct {
		title  string
		groups map[string]Group
	}{{"model", r.Models}, {"strategy", r.Strategies}, {"cache", r.Caches}} {
		if table.title == "cache" && len(table.groups) < 2 {
			continue // no hits, or nothing else: the table would repeat the sum
		}
		b.WriteString("\n")
		fmt.Fprintf(b, row, table.title, "requests", "share", "cost USD", "good")
		for _, name := range byRequests(table.groups) {
			g := table.groups[name]
			fmt.Fprintf(b, row, name, grouped(g.Requests), share(int64(g.Requests), int64(r.Answered)), g.Cost, good(g))
		}
	}
	r.kinds(b)
}

// kinds are many: they stand in two columns.
func (r Report) kinds(b *strings.Builder) {
	cells := []string{fmt.Sprintf("%-15s %8s %8s", "kind", "requests", "good")}
	for _, name := range byRequests(r.Kinds) {
		g := r.Kinds[name]
		cells = append(cells, fmt.Sprintf("%-15s %8s %8s", name, grouped(g.Requests), good(g)))
	}
	b.WriteString("\n")
	half := len(cells)/2 + 1
	if len(cells) > 2 {
		cells = slices.Insert(cells, half, cells[0])
	}
	for i := range half {
		line := "  " + cells[i]
		if i+half < len(cells) {
			line += "    " + cells[i+half]
		}
		b.WriteString(line + "\n")
	}
}

func (r Report) next(b *strings.Builder) {
	key := ""
	if r.Keyed {
		key = ` -H "Authorization: Bearer $BUSU_ADMIN_KEY"`
	}
	fmt.Fprintf(b, "\n  look next\n")
	fmt.Fprintf(b, "    dashboard   %s/\n", r.BaseURL)
	fmt.Fprintf(b, "    live        curl -s%s %s/metrics/live\n", key, r.BaseURL)
	fmt.Fprintf(b, "    routing     curl -s%s '%s/routing/metrics?window=1h'\n", key, r.BaseURL)
}

// byRequests lists the names of groups, the largest first.
func byRequests(groups map[string]Group) []string {
	return slices.SortedFunc(maps.Keys(groups), func(a, b string) int {
		return cmp.Or(cmp.Compare(groups[b].Requests, groups[a].Requests), cmp.Compare(a, b))
	})
}

func good(g Group) string { return share(int64(g.Good), int64(g.Rated)) }

func share(part, whole int64) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

func tenths(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) }

func milliseconds(d time.Duration) string {
	return grouped(int(d.Round(time.Millisecond) / time.Millisecond))
}

// grouped writes a count with a comma before every third digit.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
