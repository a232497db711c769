// Command run kills busu's processes and stores under load, and reports
// whether anything was lost or counted twice. See `make chaos`.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/busuhq/busu/internal/chaos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// settings are the command line.
type settings struct {
	chaos.Options
	modes string
	out   string
	guard bool
}

func parse(args []string) (s settings, err error) {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.Usage = func() { usage(flags) }
	flags.StringVar(&s.Stores, "stores", chaos.StoresOne, "Redis: one server, a cluster, or sentinels, with servers that take over; their report is a section of its own in -out")
	flags.IntVar(&s.Kills, "kills", 100, "processes and stores to kill, in each mode")
	flags.StringVar(&s.modes, "aof", "everysec,always", "Redis's appendfsync: everysec, always, or one after the other")
	flags.Uint64Var(&s.Seed, "seed", 1, "decides the faults and their times")
	flags.IntVar(&s.Rate, "rate", 800, "requests per second")
	flags.DurationVar(&s.Pause, "pause", 2*time.Second, "mean time between faults")
	flags.DurationVar(&s.Settle, "settle", 4*time.Minute, "the longest wait for the tail: verdicts may wait a minute, and that of a clock that was wrong longer")
	flags.BoolVar(&s.Flush, "flushall", true, "empty Redis now and then")
	flags.BoolVar(&s.Disk, "disk", os.Geteuid() == 0, "fill a disk, too; needs root")
	flags.BoolVar(&s.Clock, "clock", false, "step the machine's clock by up to 90 s now and then, for seconds, for everybody on it; needs root, on Linux")
	flags.BoolVar(&s.guard, "guard-clock", false, "put the clock right when standard input ends; what -clock starts for itself")
	flags.StringVar(&s.Binaries, "binaries", "", "directory with api, worker and aggregator, instead of building them")
	flags.StringVar(&s.out, "out", "", "file for the report, in Markdown; standard output without")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 || s.Kills < 1 || s.Rate < 1 || s.Pause <= 0 {
		return s, errors.New("give at least one kill and one request per second, and no other arguments")
	}
	if s.Stores != chaos.StoresOne && !s.Replicated() {
		return s, fmt.Errorf("-stores %s is none of one, cluster and sentinels", s.Stores)
	}
	for mode := range strings.SplitSeq(s.modes, ",") {
		if mode != "everysec" && mode != "always" {
			return s, fmt.Errorf("-aof %s is neither everysec nor always", mode)
		}
	}
	return s, nil
}

func usage(flags *flag.FlagSet) {
	fmt.Fprint(flags.Output(), `Runs the real processes on a PostgreSQL and a Redis of its own under load, kills,
stops and restarts them at random moments, and checks that nothing was lost or
counted twice. Exits with 1 when something was, and keeps the logs then.

Example:

  go run ./internal/chaos/run -kills 100 -aof everysec -seed 7 -rate 800

Flags:

`)
	flags.PrintDefaults()
}

func run(ctx context.Context, args []string) int {
	s, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 2
	}
	if s.guard {
		if err := chaos.GuardClock(os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err)
			return 1
		}
		return 0
	}
	if self, err := os.Executable(); err == nil {
		s.Guard = []string{self, "-guard-clock"}
	}
	s.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	violations, err := s.report(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 1
	}
	if violations > 0 {
		fmt.Fprintln(os.Stderr, "chaos:", violations, "violations")
		return 1
	}
	return 0
}

// report runs every mode and writes what came of them.
func (s settings) report(ctx context.Context) (violations int, err error) {
	var text bytes.Buffer
	s.introduce(ctx, &text)
	for mode := range strings.SplitSeq(s.modes, ",") {
		o := s.Options
		o.Fsync = mode
		r, err := chaos.Run(ctx, o)
		if err != nil {
			return 0, err
		}
		violations += len(r.Violations)
		if err := r.Write(&text); err != nil {
			return 0, err
		}
	}
	if s.out == "" {
		_, err = os.Stdout.Write(text.Bytes())
	} else {
		err = writePage(s.out, s.Stores, text.String())
	}
	return violations, err
}

// redises says what Redis is, of those that others take over from.
var redises = map[string]string{
	chaos.StoresCluster: "## Redis as a cluster\n\nThe same with a Redis Cluster: three masters, a replica of each. A fault of Redis hits the master that has a partition, the budgets, the\n" +
		"limits or the live metrics, in turn.",
	chaos.StoresSentinels: "## Redis behind Sentinels\n\nThe same with a Redis, its replica, and three Sentinels that watch both. A fault of Redis hits the server that they name then.",
}

// introduce says what was run where, and how to run it again.
func (s settings) introduce(ctx context.Context, b *bytes.Buffer) {
	if s.Replicated() {
		fmt.Fprintf(b, "%s\nSeven of ten last 3 s longer, so that the replica takes over, with\n"+
			"what it has heard of. The next one comes when there is a replica again. `min-replicas-to-write` is not set: what a master takes that is\n"+
			"cut off is lost with it.\n\n", redises[s.Stores])
	} else {
		fmt.Fprint(b, preface)
	}
	fmt.Fprintf(b, "Commit %s, %s, %s/%s, %d cores, %s, %s.\n\n", commit(ctx), time.Now().UTC().Format(time.DateOnly),
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), runtime.Version())
	fmt.Fprintf(b, "To repeat it: `go run ./internal/chaos/run -stores %s -kills %d -aof %s -seed %d -rate %d -pause %s -flushall=%t -disk=%t -clock=%t`. The\n"+
		"seed decides the faults and their times, not how the processes run in between.\n\n",
		s.Stores, s.Kills, s.modes, s.Seed, s.Rate, s.Pause, s.Flush, s.Disk, s.Clock)
	if s.Clock {
		fmt.Fprintf(b, "Covered besides: steps of the machine's clock by up to 90 s, there and back. Not covered: the loss of its power.\n\n")
	} else {
		fmt.Fprintf(b, "Covered with `-clock`, as root, and not in this run: steps of the machine's clock. Not covered: the loss of its power.\n\n")
	}
}

// preface is that of a run with one server of each store.
const preface = "# Reliability\n\nTwo `api`, two `worker` and two `aggregator` processes, on three partitions and a PostgreSQL and a Redis that write\n" +
	"to the disk as in production, answer requests while processes and stores are killed, stopped, restarted and emptied at random moments. At the\n" +
	"end, what clients were told and what the provider was called for is held against the ledger and the live metrics.\n\n" +
	"Every other request asks for a stream, of `/complete` and of `/v1/chat/completions` in turn. Slow answers and slow streams, which come word\n" +
	"by word, take 1 to 3 s, and no kill comes before some of both are in flight. A stream must end as a whole one or with an error; without a\n" +
	"word only when its process was killed, and then it has its row, too, with what it cost. Half of the answers are judged, some of them twice.\n\n" +
	"A tenth of the requests goes with a key whose [budget](budgets.md) runs out meanwhile, another with a key that has [limits](limits.md), and\n" +
	"whose users have: of requests a minute, half as many as are sent, and of requests at once, fewer than there are at times. When the load has\n" +
	"ended, the rest of the budget is spent, and all that may be under way at once is asked for again.\n\n"

func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// processor names the machine where that can be told.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return "unknown processor"
}
