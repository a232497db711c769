// Command tail follows busu's streams in Redis itself, without losing or
// repeating a fact, and proves it: every journal numbers its facts per
// partition from 1 without gaps, so a number that is left out is a loss and
// one that comes again is a repeat.
//
//	tail -position tail.json     reads with XREAD behind a saved position
//	tail -group mine             reads in a consumer group of its own
//
// Facts go to stdout, one JSON object a line; what is noticed about them goes
// to stderr. Choose the position for one reader that must see everything in
// order, the group to share the work among several. It needs nothing of busu
// but the names of the streams, docs/tailing.md explains them.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "tail:", err)
		os.Exit(1)
	}
}

// tail is one reader of one partition.
type tail struct {
	rdb    *redis.Client
	stream string
	group  string // "" to read by position
	name   string // of this consumer in the group
	file   string // of the position
	count  int64
	out    io.Writer
	notes  io.Writer
	state  state
}

// state is what must survive a restart: the position together with the numbers
// seen up to it, so that the check goes on where the reading does.
type state struct {
	Position string           `json:"position"`
	Seqs     map[string]int64 `json:"seqs"` // the last one of each journal
}

func run(ctx context.Context, args []string, out, notes io.Writer) error {
	t := &tail{out: out, notes: notes, state: state{Position: "0-0", Seqs: map[string]int64{}}}
	flags := flag.NewFlagSet("tail", flag.ContinueOnError)
	url := flags.String("url", os.Getenv("REDIS_URL"), "Redis, as redis://127.0.0.1:6379/0")
	flags.StringVar(&t.stream, "stream", "busu:completions:{0}", "stream of one partition")
	flags.StringVar(&t.file, "position", "tail.json", "file that keeps the position")
	flags.StringVar(&t.group, "group", "", "consumer group to read in, in place of a position")
	flags.StringVar(&t.name, "name", "tail", "name in the group: the same after a restart, another for each reader")
	flags.Int64Var(&t.count, "count", 1000, "facts to read at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o, err := redis.ParseURL(*url)
	if err != nil {
		return fmt.Errorf("%w: set REDIS_URL or -url", err)
	}
	o.ReadTimeout = 5 * time.Second // longer than a read blocks
	t.rdb = redis.NewClient(o)
	defer t.rdb.Close()
	read := t.byPosition
	if t.group != "" {
		read = t.inGroup
	}
	for ctx.Err() == nil {
		if err := read(ctx); err != nil && ctx.Err() == nil {
			fmt.Fprintln(notes, "reading again in a second:", err) // Redis is away: nothing is lost by waiting
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
	return nil
}

// byPosition reads on behind the saved position until something fails.
func (t *tail) byPosition(ctx context.Context) error {
	if err := t.load(); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := t.lookForGap(ctx); err != nil {
			return err
		}
		messages, err := t.messages(t.rdb.XRead(ctx, &redis.XReadArgs{
			Streams: []string{t.stream, t.state.Position}, Count: t.count, Block: time.Second})) // never 0, which does not end
		if err != nil {
			return err
		}
		for _, m := range messages {
			if err := t.take(m); err != nil {
				return err
			}
			t.state.Position = m.ID
		}
		// After the facts, not before: a crash in between repeats some, which
		// their numbers tell. To have none, store both in one transaction.
		if len(messages) > 0 {
			if err := t.save(); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookForGap notices that busu has trimmed what we have not read: it writes
// down the id of the last entry that it removed. What goes between this look
// and the read shows as a hole in the numbers.
func (t *tail) lookForGap(ctx context.Context) error {
	trimmed, err := t.rdb.Get(ctx, t.stream+":trimmed").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	if before(t.state.Position, trimmed) {
		fmt.Fprintf(t.notes, "gap: everything behind %s up to %s was trimmed; PostgreSQL has it\n", t.state.Position, trimmed)
		t.state.Position = trimmed
	}
	return nil
}

// inGroup reads in a group of our own, first what was given to us before and
// not acknowledged. Entries are acknowledged when they are taken.
func (t *tail) inGroup(ctx context.Context) error {
	err := t.rdb.XGroupCreateMkStream(ctx, t.stream, t.group, "0").Err() // 0: all there is; $: only what comes
	if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return err
	}
	from := "0"
	for ctx.Err() == nil {
		messages, err := t.messages(t.rdb.XReadGroup(ctx, &redis.XReadGroupArgs{Group: t.group, Consumer: t.name,
			Streams: []string{t.stream, from}, Count: t.count, Block: time.Second}))
		if err != nil { // NOGROUP, too: Redis has lost everything, and the group is made again
			return err
		}
		for _, m := range messages {
			if m.Values == nil {
				fmt.Fprintf(t.notes, "gap: %s was trimmed before it was taken; PostgreSQL has it\n", m.ID)
			} else if err := t.take(m); err != nil {
				return err
			}
			if err := t.rdb.XAck(ctx, t.stream, t.group, m.ID).Err(); err != nil {
				return err
			}
		}
		if from == "0" && len(messages) == 0 {
			from = ">"
		}
	}
	return nil
}

func (t *tail) messages(read *redis.XStreamSliceCmd) ([]redis.XMessage, error) {
	streams, err := read.Result()
	if errors.Is(err, redis.Nil) || len(streams) == 0 && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return streams[0].Messages, nil
}

// take does with a fact what this program is for: it prints it.
func (t *tail) take(m redis.XMessage) error {
	body, _ := m.Values["event"].(string)
	var head struct {
		Journal string `json:"journal"`
		Seq     int64  `json:"seq"`
	}
	if err := json.Unmarshal([]byte(body), &head); err != nil || head.Journal == "" {
		fmt.Fprintf(t.notes, "%s is no fact: busu:dead will have it\n", m.ID)
		return nil
	}
	if repeated := t.check(m.ID, head.Journal, head.Seq); repeated {
		return nil
	}
	_, err := fmt.Fprintln(t.out, body)
	return err
}

// check compares a number with the last one of its journal in this partition.
// The first that is seen of a journal is taken as it is: who begins in the
// middle has missed nothing. In a group that several share, others have the
// numbers in between; check them where the facts come together.
func (t *tail) check(id, journal string, seq int64) (repeated bool) {
	last, known := t.state.Seqs[journal]
	switch {
	case known && seq <= last:
		fmt.Fprintf(t.notes, "repeat: %s is number %d of journal %s\n", id, seq, journal)
		return true
	case known && seq > last+1:
		fmt.Fprintf(t.notes, "hole: numbers %d to %d of journal %s did not come\n", last+1, seq-1, journal)
	}
	t.state.Seqs[journal] = seq
	return false
}

func (t *tail) load() error {
	text, err := os.ReadFile(t.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &t.state)
}

// save replaces the file in one step, so that a crash leaves the old or the
// new one.
func (t *tail) save() error {
	text, err := json.Marshal(t.state)
	if err != nil {
		return err
	}
	if err := os.WriteFile(t.file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(t.file+".new", t.file)
}

// before compares two ids by their numbers; as texts, 10-0 would be before 9-0.
func before(a, b string) bool {
	am, as := numbers(a)
	bm, bs := numbers(b)
	return am < bm || am == bm && as < bs
}

func numbers(id string) (millis, sequence uint64) {
	m, s, _ := strings.Cut(id, "-")
	millis, _ = strconv.ParseUint(m, 10, 64)
	sequence, _ = strconv.ParseUint(s, 10, 64)
	return millis, sequence
}
