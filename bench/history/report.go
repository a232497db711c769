package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/bench/measure"
)

func dropIndexes(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	for _, index := range explorerIndexes {
		_, dropped := conn.Exec(ctx, "DROP INDEX "+index)
		err = errors.Join(err, dropped)
	}
	return errors.Join(err, conn.Close(ctx))
}

// write writes the report.
func (b *bench) write() error {
	text := b.report()
	if b.Report == "" {
		_, err := io.WriteString(os.Stdout, text)
		return err
	}
	return os.WriteFile(b.Report, []byte(text), 0o644)
}

func (b *bench) report() string {
	var s strings.Builder
	f, m := &b.facts, b.facts.machine
	fmt.Fprintf(&s, "# History and the request explorer over %s completions\n\nWritten by `make bench-history`; do not edit.\n\n", grouped(b.Rows))
	m.WriteTable(&s, f.started, time.Since(f.started),
		[2]string{"load before", m.Load},
		[2]string{"software", fmt.Sprintf("%s, PostgreSQL %s", m.Go, m.Postgres)},
		[2]string{"database", fmt.Sprintf("%s completions over 90 days, of %s users, %s", grouped(b.Rows), grouped(names), b.filled())},
	)
	b.writeAnswers(&s)
	b.writeSizes(&s)
	b.writeMethod(&s)
	return s.String()
}

// filled says how long that took, where it was done in this run.
func (b *bench) filled() string {
	if b.facts.filling == 0 {
		return "filled by an earlier run"
	}
	return fmt.Sprintf("filled in %s; rollups merged in %s", b.facts.filling.Round(time.Second), b.facts.merging.Round(time.Second))
}

func (b *bench) writeAnswers(s *strings.Builder) {
	fmt.Fprintf(s, "\n## Answers\n\nOver HTTP, one after the other, %d times each, in milliseconds. "+
		"CPU is that of busu and PostgreSQL together, on average,\nwhich other work on the machine changes little.\n\n| question | p50 | p99 | goal | | CPU | KB | |\n| --- | ---: | ---: | ---: | --- | ---: | ---: | --- |\n", b.Asks)
	for _, a := range b.facts.answers {
		goal, verdict, note := "", "", ""
		if a.goal > 0 {
			goal, verdict = "≤ "+measure.Number(a.goal), "met"
			if a.p99 > a.goal {
				verdict = "**missed**"
			}
		}
		if a.further {
			note = fmt.Sprintf("%d found so far, with `searched_to`", a.rows)
		}
		fmt.Fprintf(s, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", a.name, measure.Number(a.p50), measure.Number(a.p99), goal, verdict,
			measure.Number(a.cpu), measure.Number(float64(a.bytes)/1000), note)
	}
}

func (b *bench) writeSizes(s *strings.Builder) {
	s.WriteString("\n## Sizes\n\n| table | rows | MB | indexes, MB |\n| --- | ---: | ---: | ---: |\n")
	for _, t := range b.facts.sizes {
		fmt.Fprintf(s, "| `%s` | %s | %s | %s |\n", t.table, grouped(int(t.rows)), grouped(int(t.bytes/1e6)), grouped(int(t.indexes/1e6)))
	}
	s.WriteString("\n## What the explorer's indexes cost\n\n| rows alone, by COPY | rows/s |\n| --- | ---: |\n")
	for _, i := range b.facts.inserts {
		fmt.Fprintf(s, "| %s | %s |\n", i.name, measure.Number(i.rate))
	}
}

func (b *bench) writeMethod(s *strings.Builder) {
	fmt.Fprintf(s, `
## Method

- Completions are generated: users by a Zipf law, more by day than at night and at weekends, eight models of which one answers every
  5,000th request, 2 %% failures, 20 %% cache hits, an experiment a month ago. They are stored by the product's own code, COPY and rollups, %s
  at a time; rollups are merged by the product, and sums of five minutes filled in as after an upgrade; then VACUUM ANALYZE, which autovacuum comes to do.
- `+"`make bench-history ROWS=10000000 DIR=folder`"+` keeps the database in a folder and uses it again, brought up to the build's schema: it fills
  only the first time. Histories end now: the day after it is filled again, the last day of an old one is empty.
- %s is the product's binary, with a Redis of its own, on the same PostgreSQL and cores. Histories are asked for with a window that
  was not asked for before, so that nothing is kept of them; the last one is kept. Pages of the explorer are never kept.
- A page looks for what is rare for about 60 ms, then tells how far it has come: those are marked.
- Inserts: %s rows in batches of %s into two empty databases in turns, without rollups and marks.
`, grouped(batch), "`busu up`", grouped(insertRows), grouped(insertBatch))
}

func grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}
