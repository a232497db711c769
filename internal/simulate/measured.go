package simulate

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Reports are the texts of the reports that benchmarks have written.
type Reports struct {
	Pipeline    string // of make bench-pipeline
	Performance string // of make bench
	History     string // of make bench-history
}

// Measured is what the reports say: the costs, and what the model has to
// predict of the machine that they were measured on.
type Measured struct {
	Costs
	Commits                              []string // that the reports are of
	Machine                              int      // its cores
	Facts                                int      // of a drain
	DrainOne, DrainTwo, Producing, Folds float64  // facts per second
	LagOne, LagTwo, Sight                Spread
}

// entryOverhead is what Redis keeps for an entry of a stream besides its
// bytes: some 65 with facts of 836.
const entryOverhead = 64

// callCost is the CPU of a call that carries next to nothing, of Redis: its
// system calls. It is assumed.
const callCost = 15 * time.Microsecond

// transactionCost is the CPU of PostgreSQL for a transaction that stores one
// fact, of 400 in a row.
const transactionCost = 350 * time.Microsecond

// Read reads the reports.
func (r Reports) Read() (Measured, error) {
	t := &tables{}
	pipeline, performance, history := t.of(r.Pipeline), t.of(r.Performance), t.of(r.History)
	m := Measured{
		Commits: []string{pipeline.text("commit"), performance.text("commit"), history.text("commit")},
		Machine: int(pipeline.first("machine")), Facts: int(pipeline.first("work")),
		DrainOne: pipeline.number("busu: drain, 1 worker", "events/s"), DrainTwo: pipeline.number("busu: drain, 2 workers", "events/s"),
		Producing: pipeline.number("busu: produce and store, 2 workers", "events/s"), Folds: pipeline.number("busu: fold a backlog, aggregator", "events/s"),
		LagOne: pipeline.spread("busu: commit lag at 20k/s, 1 worker"), LagTwo: pipeline.spread("busu: commit lag at 20k/s, 2 workers"),
		Sight: pipeline.spread("busu: answer to live snapshot at 1k/s"),
	}
	bytes := int64(pipeline.second("work"))
	rows := history.number("`completions`", "rows")
	m.Costs = Costs{
		Request: performance.micros("busu, routed", "CPU"),
		Append:  pipeline.micros("limit: XADD ×256, 1 connection", "Redis"),
		Read:    pipeline.micros("busu: drain, 1 worker", "Redis"),
		Tail:    pipeline.micros("busu: fold a backlog, aggregator", "Redis"),
		Store:   pipeline.micros("busu: drain, 1 worker", "client"),
		Row:     pipeline.micros("busu: drain, 1 worker", "PostgreSQL"),
		Fold:    pipeline.micros("busu: fold a backlog, aggregator", "client"),
		Call:    callCost, Transaction: transactionCost, FactBytes: bytes, EntryBytes: bytes + entryOverhead,
		RowBytes:  int64((history.number("`completions`", "MB") + history.number("`completions`", "indexes, MB")) * 1e6 / rows),
		APIMemory: int64(performance.number("busu, routed", "RSS MB") * 1e6),
	}
	m.RequestPostgres = performance.micros("busu, routed", "PostgreSQL")
	m.RequestCache = max(0, performance.micros("busu, routed", "Redis")-m.Append)
	if t.err == nil {
		t.err = m.fit()
	}
	return m, t.err
}

// fit finds the one number that is not in the reports, what a transaction takes
// besides its facts, so that one of the figures comes out.
func (m *Measured) fit() error {
	least, most := time.Duration(0), 32*time.Millisecond
	for most-least > 50*time.Microsecond {
		m.Commit = (least + most) / 2
		mean, err := m.mean(m.oneWorker(), paced(), stored, 1)
		if err != nil {
			return err
		}
		if mean.P50 > m.LagOne.P50 {
			most = m.Commit
		} else {
			least = m.Commit
		}
	}
	m.Commit = least
	return nil
}

// tables read numbers out of tables in Markdown, and keep the first failure.
type tables struct{ err error }

type report struct {
	*tables
	lines []string
}

func (t *tables) of(text string) report { return report{t, strings.Split(text, "\n")} }

func cells(line string) []string {
	all := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

// text is what stands beside a name in a table, in its second column.
func (r report) text(name string) string {
	for _, line := range r.lines {
		if c := cells(line); len(c) > 1 && c[0] == name {
			return c[1]
		}
	}
	r.fail(fmt.Errorf("no report has a line %q: has it been measured?", name))
	return ""
}

var numbers = regexp.MustCompile(`\d[\d,]*(\.\d+)?`)

func (r report) first(name string) float64  { return r.nth(name, 0) }
func (r report) second(name string) float64 { return r.nth(name, 1) }

func (r report) nth(name string, n int) float64 {
	found := numbers.FindAllString(r.text(name), -1)
	if n >= len(found) {
		r.fail(fmt.Errorf("the line %q has no number at place %d", name, n+1))
		return 0
	}
	return r.parse(found[n])
}

// number is that of a row, in the column of a name, in the first table that
// has both.
func (r report) number(row, column string) float64 {
	at := -1
	for i, line := range r.lines {
		c := cells(line)
		if !strings.HasPrefix(line, "|") {
			at = -1
			continue
		}
		if i+1 < len(r.lines) && strings.HasPrefix(r.lines[i+1], "| ---") {
			at = index(c, column)
		}
		if at > 0 && at < len(c) && c[0] == row {
			return r.parse(c[at])
		}
	}
	r.fail(fmt.Errorf("no table has a line %q and a column %q: has it been measured?", row, column))
	return 0
}

func index(c []string, name string) int {
	for i, x := range c {
		if x == name {
			return i
		}
	}
	return -1
}

func (r report) micros(row, column string) time.Duration {
	return time.Duration(r.number(row, column) * float64(time.Microsecond))
}

func (r report) spread(row string) Spread { return Spread{r.micros(row, "p50"), r.micros(row, "p99")} }

func (r report) parse(text string) float64 {
	n, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64)
	if err != nil {
		r.fail(fmt.Errorf("%q is no number", text))
	}
	return n
}

func (r report) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}
