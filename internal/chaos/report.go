package chaos

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// Report is what came of a run.
type Report struct {
	Options    Options
	Faults     []Fault
	Loaded     time.Duration // how long there was load
	Settled    time.Duration // until the tail had arrived
	Counts     Counts
	Disk       string // what came of the full disk
	Checks     []Check
	Violations []string
}

// Counts are what happened.
type Counts struct {
	Sent, Answered, Failed, Refused, Unheard, Unanswered, Skipped int64
	Streamed, HeardOut, Cut, CutInKills                           int64
	Calls, FailedCalls                                            int64
	Rows, Interrupted, Canceled, Fallbacks, UnseenAnswered        int64
	Judged, Accepted, NotTaken, VerdictsUnanswered                int64
	WithBudget, TooLittleLeft, WithLimits, TooManyAtOnce, TooMany int64
	OldestEntry                                                   time.Duration
	MostWaiting                                                   int64
}

func newReport(o Options, faults []Fault) *Report { return &Report{Options: o, Faults: faults} }

func (e *engine) counts(r *Report, rows []row) {
	c := Counts{Sent: e.load.sent.Load(), Refused: e.load.refused.Load(), Unanswered: e.load.unanswered.Load(), Unheard: e.load.unheard.Load(),
		Skipped: e.load.skipped.Load(), Streamed: e.load.streamed.Load(), Cut: int64(len(e.load.broken)), FailedCalls: e.upstream.failed.Load(), Rows: int64(len(rows))}
	for _, a := range e.load.seen {
		if c.Answered++; a.status != 200 {
			c.Failed++
		}
		if a.stream {
			c.HeardOut++
		}
	}
	for _, b := range e.load.broken {
		if !b.told {
			c.CutInKills++
		}
	}
	for _, n := range e.upstream.called() {
		c.Calls += int64(n)
	}
	for _, row := range rows {
		_, told := e.load.seen[row.id]
		told = told || e.load.broken[row.id].told
		switch {
		case row.status == event.StatusInterrupted:
			c.Interrupted++
		case row.status == event.StatusCanceled:
			c.Canceled++
		case !told:
			c.UnseenAnswered++
		}
		if row.fallbacks > 0 {
			c.Fallbacks++
		}
	}
	j := &e.load.judges
	c.Judged, c.Accepted, c.NotTaken, c.VerdictsUnanswered = j.sent.Load(), int64(len(j.accepted)), j.refused.Load(), j.unanswered.Load()
	c.WithBudget, c.TooLittleLeft = e.load.withBudget.Load(), e.load.tooLittleLeft.Load()
	c.WithLimits, c.TooManyAtOnce, c.TooMany = e.load.withLimits.Load(), e.load.tooManyAtOnce.Load(), e.load.tooManyInAll.Load()
	c.OldestEntry, c.MostWaiting = e.lag.most()
	r.Counts = c
}

// Write writes the report as Markdown.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	verdict := "everything holds"
	if len(r.Violations) > 0 {
		verdict = fmt.Sprintf("**%d violations**", len(r.Violations))
	}
	heading := "##"
	if r.Options.Replicated() {
		heading = "###" // of a section
	}
	fmt.Fprintf(&b, "%s appendfsync %s: %s\n\n", heading, r.Options.Fsync, verdict)
	fmt.Fprintf(&b, "Seed %d, %d requests per second for %s, faults on average every %s. The tail had arrived after %s.\n\n",
		r.Options.Seed, r.Options.Rate, r.Loaded.Round(time.Second), r.Options.Pause, r.Settled.Round(10*time.Millisecond))
	r.writeFaults(&b)
	r.writeCounts(&b)
	b.WriteString("| check | result | |\n| --- | --- | --- |\n")
	for _, c := range r.Checks {
		holds := "holds"
		if !c.Holds {
			holds = "**does not hold**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.What, short(c.Result), holds)
	}
	if r.Disk != "" {
		fmt.Fprintf(&b, "\nFull disk: %s.\n", r.Disk)
	}
	for i, v := range r.Violations {
		if i == 0 {
			b.WriteString("\nViolations:\n\n")
		}
		fmt.Fprintf(&b, "- %s\n", short(v))
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// writeFaults counts faults by what they happened to.
func (r *Report) writeFaults(b *strings.Builder) {
	counts := map[string]map[string]int{}
	for _, f := range r.Faults {
		for _, t := range f.Targets {
			job, _, _ := strings.Cut(t, "-")
			if counts[job] == nil {
				counts[job] = map[string]int{}
			}
			counts[job][f.Kind]++
		}
	}
	kinds := []string{FaultKill, FaultStop, FaultTerm, FaultFlush}
	if r.Options.Clock {
		kinds = append(kinds, FaultClock)
	}
	fmt.Fprintf(b, "| | %s |\n|%s\n", strings.Join(kinds, " | "), strings.Repeat(" --- |", len(kinds)+1))
	total := map[string]int{}
	for _, job := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(b, "| %s |", job)
		for _, k := range kinds {
			fmt.Fprintf(b, " %d |", counts[job][k])
			total[k] += counts[job][k]
		}
		b.WriteString("\n")
	}
	b.WriteString("| all |")
	for _, k := range kinds {
		fmt.Fprintf(b, " %d |", total[k])
	}
	b.WriteString("\n\n")
}

func (r *Report) writeCounts(b *strings.Builder) {
	c := r.Counts
	b.WriteString("| | |\n| --- | --- |\n")
	for _, line := range []struct {
		what  string
		value any
	}{
		{"requests sent", c.Sent}, {"answered (200 or 502)", c.Answered}, {"of these 502: no model answered", c.Failed},
		{"refused (503)", c.Refused}, {"nobody listened", c.Unheard}, {"connection lost before the answer", c.Unanswered},
		{"not sent: too many under way", c.Skipped},
		{"asked for as streams", c.Streamed}, {"of these heard to their end", c.HeardOut},
		{"broken off behind the first word", c.Cut}, {"of these in a kill, without a word", c.CutInKills},
		{"calls of the provider", c.Calls}, {"of these failed", c.FailedCalls},
		{"rows", c.Rows}, {"of these interrupted by the end of their process", c.Interrupted},
		{"canceled by its stop", c.Canceled}, {"with fallbacks", c.Fallbacks},
		{"answered, and the client never heard", c.UnseenAnswered},
		{"sent with the key that has a budget", c.WithBudget}, {"of these refused, as too little of it was left (429)", c.TooLittleLeft},
		{"sent with the key that has limits", c.WithLimits}, {"of these refused, as too many at once (429)", c.TooManyAtOnce},
		{"as too many in a minute (429)", c.TooMany},
		{"verdicts sent", c.Judged}, {"of these accepted (202)", c.Accepted}, {"refused (503)", c.NotTaken},
		{"nobody listened, or connection lost", c.VerdictsUnanswered},
		{"oldest entry that was not stored", c.OldestEntry.Round(10 * time.Millisecond)},
		{"most entries waiting at once", c.MostWaiting},
	} {
		fmt.Fprintf(b, "| %s | %v |\n", line.what, line.value)
	}
	b.WriteString("\n")
}

// short is a text that fits into a table; the log has all of it.
func short(text string) string {
	const enough = 600
	text = strings.ReplaceAll(text, "\n", " ")
	if len(text) > enough {
		text = strings.ToValidUTF8(text[:enough], "") + "…"
	}
	return text
}
