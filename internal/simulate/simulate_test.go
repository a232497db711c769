package simulate

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// costs are some that were measured once.
func costs() Costs {
	us := time.Microsecond
	return Costs{Request: 60 * us, RequestPostgres: 4 * us, Append: 5 * us, Read: 3 * us, Tail: 1 * us, Store: 10600, Row: 13700, Fold: 6 * us,
		Call: 15 * us, Transaction: 350 * us, Commit: 2 * time.Millisecond, FactBytes: 836, EntryBytes: 900, RowBytes: 687, APIMemory: 1e8}
}

// anySetup is one at random.
func anySetup(r *rand.Rand) Setup {
	s := Setup{API: 1 + r.IntN(4), APICores: 1 + r.IntN(4), Masters: 1 + r.IntN(4), Workers: 1 + r.IntN(4), WorkerCores: 1 + r.IntN(3),
		Aggregators: 1 + r.IntN(3), PostgresCores: 1 + r.IntN(4), Listening: r.IntN(3), Network: time.Duration(r.IntN(1000)) * time.Microsecond}
	s.Partitions = s.Masters + r.IntN(8)
	if r.IntN(2) == 0 {
		s.Machine = 1 + r.IntN(4)
	}
	return s.defaults()
}

// No fact is lost or there twice: wherever a run is cut off, however much more
// comes than is borne, what was answered has a row or waits somewhere.
func TestFactsAreConserved(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	for range 60 {
		s, seed := anySetup(r), r.Uint64()
		l := Load{Rate: 1000 + r.IntN(30_000), For: time.Duration(50+r.IntN(300)) * time.Millisecond}
		if r.IntN(3) == 0 {
			l.Tick = time.Millisecond
		}
		o, err := Run(s, costs(), l, seed)
		if err != nil {
			t.Fatal(err)
		}
		if o.Answered == 0 || o.Answered != o.Stored+o.Streamed+o.Journaled {
			t.Errorf("%+v, seed %d: of %d facts %d have a row, %d are in streams, %d in journals", s, seed, o.Answered, o.Stored, o.Streamed, o.Journaled)
		}
		if o.Counted > o.Answered {
			t.Errorf("%+v, seed %d: %d facts were counted of %d", s, seed, o.Counted, o.Answered)
		}
	}
}

// What was there at the beginning is stored and counted, each once.
func TestBacklogsAreDrained(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(6, 6))
	for range 20 {
		s := anySetup(r)
		l := Load{Streamed: r.IntN(20_000), Journaled: 1 + r.IntN(20_000), For: forever}
		o, err := Run(s, costs(), l, r.Uint64())
		if err != nil {
			t.Fatal(err)
		}
		if all := l.Streamed + l.Journaled; o.Stored != all || o.Counted != all || o.Streamed+o.Journaled+o.Uncounted != 0 {
			t.Errorf("%+v: of %d facts %d are stored and %d counted, %d are left", s, all, o.Stored, o.Counted, o.Streamed+o.Journaled)
		}
	}
}

func TestTheSeedDecides(t *testing.T) {
	t.Parallel()
	s, l := Size(5000, costs()), Load{Rate: 5000, For: 300 * time.Millisecond}
	run := func(seed uint64) Outcome {
		o, err := Run(s, costs(), l, seed)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if !reflect.DeepEqual(run(1), run(1)) {
		t.Error("one seed had two outcomes")
	}
	if reflect.DeepEqual(run(1), run(2)) {
		t.Error("two seeds had one outcome")
	}
}

// A setup of the right size keeps up, with nothing busier than intended; one
// that is too small falls behind, by the part that is too small.
func TestSizes(t *testing.T) {
	t.Parallel()
	const rate = 40_000
	load := Load{Rate: rate, WarmUp: 300 * time.Millisecond, For: 1800 * time.Millisecond}
	right := Size(rate, costs())
	for name, shrink := range map[string]func(*Setup){
		"":        func(*Setup) {},
		apiName:   func(s *Setup) { s.API, s.APICores = 1, 2 },
		redisName: func(s *Setup) { s.Masters, s.Partitions = 1, 4; s.Listening = 20 },
		workerName: func(s *Setup) {
			s.Workers, s.WorkerCores, s.Network = 1, 1, 0
			s.Connections = 100
			s.PostgresCores = 64
		},
		aggregatorName: func(s *Setup) { s.Aggregators = 1 },
		postgresName:   func(s *Setup) { s.PostgresCores = 1 },
	} {
		s, c := right, costs()
		if shrink(&s); name == aggregatorName {
			c.Fold = 30 * time.Microsecond
		}
		if name == workerName {
			c.Store = 30 * time.Microsecond
		}
		if name == postgresName {
			c.Row = 30 * time.Microsecond
		}
		o, err := Run(s, c, load, 1)
		if err != nil {
			t.Fatal(err)
		}
		if o.Behind != (name != "") {
			t.Errorf("with too little %q, it falls behind: %t; %+v", name, o.Behind, o)
		}
		for part, busy := range o.Busy {
			if name == "" && part != connectionsName && (busy > fill+.05 || busy <= 0) {
				t.Errorf("%s are busy for %.2f", part, busy)
			}
		}
		if name != "" && o.Busy[name] < .95 {
			t.Errorf("what is too little, %s, is busy for %.2f only", name, o.Busy[name])
		}
	}
}

func TestSetupsAreValidated(t *testing.T) {
	t.Parallel()
	for _, s := range []Setup{{}, Setup{}.defaults(), {API: 1, Partitions: 1, Masters: 2, PostgresCores: 1}} {
		if _, err := Run(s, costs(), Load{Rate: 1, For: time.Second}, 1); err == nil {
			t.Errorf("%+v is run", s)
		}
	}
}

// reports are those of the documents.
func reports(t *testing.T) Reports {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return Reports{Pipeline: read("pipeline-benchmark.md"), Performance: read("performance.md"), History: read("history-benchmark.md")}
}

// The documents' reports can be read, whatever they say today; and where one
// lacks something, the error names it.
func TestReportsAreRead(t *testing.T) {
	t.Parallel()
	all := reports(t)
	m, err := all.Read()
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]float64{"cores": float64(m.Machine), "facts": float64(m.Facts), "request": float64(m.Request), "row": float64(m.Row),
		"bytes": float64(m.FactBytes), "bytes of rows": float64(m.RowBytes), "memory": float64(m.APIMemory), "lag": float64(m.LagTwo.P99), "fold": float64(m.Fold)} {
		if value <= 0 {
			t.Errorf("%s: %v", name, value)
		}
	}
	all.Pipeline = strings.ReplaceAll(all.Pipeline, "busu: drain, 1 worker", "something else")
	if _, err := all.Read(); err == nil || !strings.Contains(err.Error(), "busu: drain, 1 worker") {
		t.Errorf("a report without a figure: %v", err)
	}
}

// measuredOnce is what the reports said on one day.
func measuredOnce() Measured {
	m := Measured{Costs: costs(), Machine: 2, Facts: 200_000, DrainOne: 49_880, DrainTwo: 65_820, Producing: 52_074, Folds: 166_799,
		LagOne: Spread{23_134 * time.Microsecond, 52_148 * time.Microsecond}, LagTwo: Spread{20_193 * time.Microsecond, 53_652 * time.Microsecond},
		Sight: Spread{292_673 * time.Microsecond, 530_689 * time.Microsecond}}
	m.Append = 4300
	if err := m.fit(); err != nil {
		panic(err) // no set-up of its own
	}
	return m
}

// The model says what was measured where it can be held against it: within a
// quarter, but for the slowest hundredth of transactions, of which it knows
// nothing.
func TestTheModelSaysWhatWasMeasured(t *testing.T) {
	t.Parallel()
	all, err := measuredOnce().Check(1)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 10 {
		t.Errorf("there are %d figures", len(all))
	}
	for _, c := range all {
		if strings.Contains(c.What, "to row") && strings.HasSuffix(c.What, "p99") {
			continue
		}
		if ratio := c.Predicted / c.Measured; ratio < .75 || ratio > 1.25 {
			t.Errorf("%s: the model says %.0f %s, measured were %.0f", c.What, c.Predicted, c.Unit, c.Measured)
		}
	}
	if stall := Stall(all); stall < 10*time.Millisecond || stall > 50*time.Millisecond {
		t.Errorf("%s are missing of the slowest", stall)
	}
}

func TestForecasts(t *testing.T) {
	t.Parallel()
	m, terms := measuredOnce(), UsualTerms()
	load := Load{WarmUp: 200 * time.Millisecond, For: 500 * time.Millisecond}
	f, err := m.Forecast(10_000, load, terms, time.Millisecond, 1)
	if err != nil {
		t.Fatal(err)
	}
	if f.Behind || f.StreamBytes < 10_000*900*900 || f.StreamBytes > 10_000*900*901 {
		t.Errorf("15 minutes of 10,000/s at 900 bytes are %.0f bytes; behind: %t", f.StreamBytes, f.Behind)
	}
	if f.RowsPerDay != 10_000*86400*687 || f.USD < f.Cores*terms.CoreUSD || f.FullAt < 10_000 {
		t.Errorf("%+v", f)
	}
	if f.Needs[0].What != "room on PostgreSQL's disk" {
		t.Errorf("first is short: %+v", f.Needs)
	}
	terms.RowsFor = time.Hour
	terms.MostWrites = 1e6
	if again, _ := m.Forecast(10_000, load, terms, 0, 1); again.Needs[0].What != "writing of PostgreSQL's disk" {
		t.Errorf("with a slow disk, first is short: %+v", again.Needs)
	}
	section := m.Section(nil, []Forecast{f}, terms, 1)
	for _, want := range []string{"| requests per second | **10,000** |", "| keeps up | yes |", "| streams in Redis, GB | 8.1 |"} {
		if !strings.Contains(section, want) {
			t.Errorf("the section has no %q:\n%s", want, section)
		}
	}
}

// The page has the marks, and only what is between them changes.
func TestSectionsArePutBetweenMarks(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/scale.md")
	if err != nil {
		t.Fatal(err)
	}
	once, err := Put(string(page), "what is new\n")
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(page), Begin)
	_, after, _ := strings.Cut(string(page), End)
	if once != before+Begin+"\nwhat is new\n"+End+after {
		t.Error("more than the section has changed")
	}
	if _, err := Put("no marks", "x"); err == nil {
		t.Error("a page without marks takes a section")
	}
}
