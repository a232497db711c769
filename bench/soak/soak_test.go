package soak

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/bench/load"
	"github.com/busuhq/busu/bench/measure"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{}, {For: time.Second, Share: .6}, {For: time.Hour}, {For: time.Hour, Share: 1.5}, {For: time.Hour, Share: -.1},
		{For: time.Hour, Share: .6, Warm: 31 * time.Minute}, {For: time.Hour, Share: .6, Warm: -time.Minute}} {
		if err := o.Validate(); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	for _, c := range []struct {
		runs, asked, want time.Duration
		whole             bool
	}{
		{2 * time.Hour, 0, 20 * time.Minute, true}, {40 * time.Minute, 0, 20 * time.Minute, true}, {39 * time.Minute, 0, 39 * time.Minute / 4, false},
		{5 * time.Minute, 0, 75 * time.Second, false}, {2 * time.Hour, 5 * time.Minute, 5 * time.Minute, false}, {2 * time.Hour, time.Hour, time.Hour, true},
	} {
		o := Options{For: c.runs, Share: .6, Warm: c.asked}
		if err := o.Validate(); err != nil || o.warm() != c.want || o.isWhole() != c.whole {
			t.Errorf("%+v: %v, warms up for %s, whole: %t", c, err, o.warm(), o.isWhole())
		}
	}
}

// TestClock counts each request in the minute that it ended in, whoever counts
// at the same time.
func TestClock(t *testing.T) {
	t.Parallel()
	const callers, each = 8, 500
	began := time.Unix(0, 0)
	c := newClock(began)
	var all sync.WaitGroup
	broken := errors.New("broken")
	for range callers {
		all.Go(func() {
			for i := range each {
				f := load.Fate{Took: time.Duration(1+i%2) * time.Millisecond}
				if i%100 == 99 {
					f.Err = broken
				}
				c.count(f)
			}
		})
	}
	var sum minute
	add := func() {
		m, failure := c.turn(began.Add(time.Minute))
		if (m.Failed > 0) != errors.Is(failure, broken) {
			t.Errorf("%d failed, for %v", m.Failed, failure)
		}
		sum.Requests, sum.Failed = sum.Requests+m.Requests, sum.Failed+m.Failed
	}
	add()
	all.Wait()
	add()
	if sum.Requests != callers*each || sum.Failed != callers*each/100 {
		t.Errorf("%+v", sum)
	}
	c.count(load.Fate{Took: 7 * time.Millisecond})
	if m, _ := c.turn(began); m.Requests != 1 || m.P50 < 6.9 || m.P50 > 7.1 || m.P99 != m.P50 || m.Began != began.Add(time.Minute) {
		t.Errorf("%+v", m)
	}
	if m, failure := c.turn(began); m.Requests != 0 || m.P99 != 0 || failure != nil {
		t.Errorf("an empty minute: %+v, %v", m, failure)
	}
}

func TestReadPage(t *testing.T) {
	t.Parallel()
	got, err := readPage(bufio.NewScanner(strings.NewReader("# HELP go_goroutines of them\n# TYPE go_goroutines gauge\ngo_goroutines 12\n" +
		"waits{lane=\"a b/0\"} 3.5\nwaits{lane=\"c/1\"} 2\nbytes 1.5e+06\nno value\n\n")))
	if err != nil || len(got) != 3 || got["go_goroutines"] != 12 || got["waits"] != 3.5 || got["bytes"] != 1.5e6 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{15 * time.Minute: "15m", 2 * time.Hour: "2h", 90 * time.Minute: "1h30m", 75 * time.Second: "1m15s",
		10 * time.Second: "10s", 2*time.Hour + 400*time.Millisecond: "2h", time.Hour + 30*time.Second: "1h0m30s"} {
		if got := span(d); got != want {
			t.Errorf("%s is written %s, not %s", d, got, want)
		}
	}
}

// TestDescriptors sees this process's own.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if files, sockets := descriptors(os.Getpid()); sockets < 1 || files <= sockets {
		t.Errorf("with a listener and standard output %d files are open, %d of which are sockets", files, sockets)
	}
	if files, sockets := descriptors(1 << 30); files != 0 || sockets != 0 {
		t.Errorf("a process that there is not has %d files and %d sockets", files, sockets)
	}
}

// TestProcessors reads what Linux writes.
func TestProcessors(t *testing.T) {
	t.Parallel()
	p, ok := parseProcessors("cpu  50 10 20 100 5 1 4 10 7 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
	if want := (processors{all: 200, idle: 100, waiting: 5, taken: 10}); !ok || !reflect.DeepEqual(p, want) {
		t.Errorf("read %+v, want %+v", p, want)
	}
	for _, bad := range []string{"", "cpu 1 2 3\n", "intr 1 2 3 4 5 6 7 8 9\n", "cpu 1 2 3 4 5 6 7 -8 9\n", "cpu 1 2 3 four 5 6 7 8 9\n"} {
		if p, ok := parseProcessors(bad); ok {
			t.Errorf("%q reads %+v", bad, p)
		}
	}
}

func TestParseProcess(t *testing.T) {
	t.Parallel()
	program, ticks, ok := parseProcess("42 (a (b) c) S 1 42 42 0 -1 4194560 1 2 3 4 10 20 300 4000 20 0 1 0 5 6 7\n")
	if program != "a (b) c" || ticks != 4330 || !ok {
		t.Errorf("%q took %v, %t", program, ticks, ok)
	}
	for _, bad := range []string{"", "42 (a", "42 a) b", "42 (a) S 1 2 3", "42 (a) S 1 42 42 0 -1 0 1 2 3 4 10 x 300 4000 20 0", "42 (a) S 1 42 42 0 -1 0 1 2 3 4 10 -1 300 4000 20 0"} {
		if program, ticks, ok := parseProcess(bad); ok {
			t.Errorf("%q: %q, %v", bad, program, ticks)
		}
	}
}

// held is a run as it might have been: the API's memory grows, goroutines do
// not, and Redis fills until streams are trimmed.
func held(o Options) *found {
	f := &found{machine: &measure.Machine{}, limits: []float64{900, 1000, 1100}, limit: 1000, rate: 600, streams: []string{"busu:x"},
		rows: [2]int64{1000, 2000}, bytes: [2]int64{1e6, 3e6}, reconciled: "JOURNAL  LANE  \nx        y     \n", isReconciled: true}
	f.load = load.Outcome{Answered: 990, Holding: 198, Failed: 10, Err: errors.New("one of them"), Elapsed: o.For}
	f.samples = newSamples(time.Unix(0, 0))
	for at := time.Duration(0); at <= o.For; at += every {
		hours := at.Hours()
		f.samples.add(f.samples.began.Add(at), map[string]float64{"api " + resident: 50 + 20*hours, "api " + goroutines: 40,
			redisMemory: 1000 * min(hours, .25), streamPrefix + "busu:x": 500, redisKeys: 7,
			cpuBusy: 80, cpuTaken: 10 * hours, oldestTransaction: .02})
	}
	for i := range int(o.For / time.Minute) {
		f.minutes = append(f.minutes, minute{Requests: 36000, Failed: int64(i % 2), P50: 1, P99: float64(10 + i)})
	}
	return f
}

func TestReport(t *testing.T) {
	t.Parallel()
	o := Options{For: time.Hour, Share: .6, Plot: "docs/soak.svg", Report: "docs/soak.md"}
	f := held(o)
	text := f.report(o, "")
	for _, want := range []string{
		"# Hours under load", "| 1,000 requests/s answered and stored (900–1,100 in 3 rounds)", "600 requests/s, 60 % of that, for 1h",
		"990 answered, 20 % of them from memory; 0 refused, 10 failed", "**Not all was answered:** one said: one of them",
		"Of 5 figures 4 are flat.\n\n**These grow:** api: RSS, MB.", "| api: RSS, MB | 58.3 | 68.3 | 20.0 | 20.0 to 20.0 |", "| its caches | **grows** |",
		"| api: goroutines | 40.0 | 40.0 | 0.00 | 0.00 to 0.00 | 0.00 |  | flat |", "| Redis: memory, MB | 250 | 250 |", "entries of `busu:x`",
		"1,000 requests made it 2.00 MB larger, 2,000 bytes each", "| 1–10 | 360,000 | 5 | 1.00 | 1.00 | 14.5 | 19.0 |", "| 51–60 |",
		"| minutes | processors busy, % | taken by others, %, worst |", "| 51–60 | 80.0 | 9.97 |  | 0.02 |  |  |  |",
		"It finds no difference.\n\n```text\nJOURNAL  LANE\nx        y\n```", "](soak.svg)", "has to be 20m; here it was 20m",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, unsaid := range []string{"Too short", "Cut short", "Ended early", "lack something", "Open, because", " \n"} {
		if strings.Contains(text, unsaid) {
			t.Errorf("%q is in\n%s", unsaid, text)
		}
	}
	written := strings.Replace(text, "kept -->", "kept -->\n\nA word by hand.", 1)
	if again := f.report(o, written); !strings.Contains(again, "A word by hand.") {
		t.Error("what was written by hand is gone")
	}
}

// TestReportTellsWhatWentWrong of runs that say less, or say no.
func TestReportTellsWhatWentWrong(t *testing.T) {
	t.Parallel()
	o := Options{For: 4 * time.Minute, Share: .6}
	for want, change := range map[string]func(*found){
		"**Too short to say:** streams keep 15m":                func(*found) {},
		"A run of 40m or more waits":                            func(*found) {},
		"**Cut short:** it was to run for 4m":                   func(f *found) { f.wasCut = true },
		"**Ended early:** api has ended":                        func(f *found) { f.ended = fmt.Errorf("api %w", errEnded) },
		"**It finds differences, or could not be asked.":        func(f *found) { f.isReconciled = false },
		"**Samples lack something:** 3 of them; of one: away":   func(f *found) { f.samples.missed, f.samples.problem = 3, errors.New("away") },
		"There are too few samples behind the warm-up":          func(f *found) { f.samples.points = map[string][]point{} },
		"Open, because their noise bears both: api: RSS, MB.":   noisy,
		"Of 5 figures 4 are flat. None surely grows.":           noisy,
		"**These grow:** api: RSS, MB; Redis: memory, MB.\n\n<": func(*found) {},
	} {
		f := held(o)
		change(f)
		if text := f.report(o, ""); !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// noisy lets the API's memory jump, and Redis' not fill.
func noisy(f *found) {
	f.samples.points[redisMemory] = f.samples.points[redisKeys]
	points := f.samples.points["api "+resident]
	for i := range points {
		points[i].value = 50 + 20*float64((i*7)%5)
	}
}

func TestPlot(t *testing.T) {
	t.Parallel()
	svg := string(held(Options{For: time.Hour, Share: .6}).plot().SVG())
	for _, want := range []string{"RSS of busu", "Goroutines", "aggregator", "Redis", "p99"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%q is not in it", want)
		}
	}
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Error("there are numbers that are none")
	}
}

// TestKinds have names of their own.
func TestKinds(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range kinds([]string{"a", "b"}) {
		if seen[k.name] || seen[k.title] || k.little <= 0 {
			t.Errorf("%+v", k)
		}
		seen[k.name], seen[k.title] = true, true
	}
}
