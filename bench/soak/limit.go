package soak

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/busuhq/busu/bench/load"
	"github.com/busuhq/busu/bench/measure"
)

const (
	limitRounds  = 3
	limitFor     = 10 * time.Second
	limitCallers = 32
	lanes        = 512 // connections that the open loop may have
	lookEvery    = 20 * time.Millisecond
	catchWithin  = 5 * time.Minute
	finishWithin = 30 * time.Minute // the ledger is read row by row
	between      = 10_200_000       // numbers of requests from one load to the next, so that all are new and of other users
)

// request is one of the load that is measured; those before have other numbers.
func (s *soak) request(into []byte, i int) []byte {
	return s.stand.Request(into, (limitRounds+1)*between+i)
}

// findLimit has callers send without a pause, and counts what they were answered
// over the time until it was stored, too: what the worker only puts off is no
// rate that lasts.
func (s *soak) findLimit(ctx context.Context) error {
	for round := range limitRounds + 1 {
		began := time.Now()
		o, err := load.Closed(ctx, load.Load{Addr: s.stand.Addr(), Connections: limitCallers, For: limitFor,
			Request: func(into []byte, i int) []byte { return s.stand.Request(into, round*between+i) }})
		if err := errors.Join(err, o.Sound()); err != nil {
			return err
		}
		if err := s.caughtUp(ctx); err != nil {
			return err
		}
		rate := float64(o.Answered) / time.Since(began).Seconds()
		if round > 0 { // the first one only warms up
			s.found.limits = append(s.found.limits, rate)
		}
		fmt.Fprintf(s.options.Progress, "without a pause: %s requests/s answered, %s answered and stored\n", measure.Number(o.PerSecond()), measure.Number(rate))
	}
	sorted := slices.Sorted(slices.Values(s.found.limits))
	s.found.limit = middleOf(sorted)
	s.found.rate = max(int(s.found.limit*s.options.Share), 1)
	return nil
}

// caughtUp waits until the worker has stored all that was answered.
func (s *soak) caughtUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, catchWithin)
	defer cancel()
	api := s.stand.Processes()["api"].Base + "/metrics"
	for {
		n, err := s.stand.Behind(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			page, err := scrape(ctx, api)
			if err != nil {
				return err
			}
			if page["busu_journal_backlog"] == 0 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the worker is %d facts behind: %w", n, ctx.Err())
		case <-time.After(lookEvery):
		}
	}
}

// weigh counts the rows of the database, and its bytes without answers that are
// kept.
func (s *soak) weigh(ctx context.Context) (rows, bytes int64, err error) {
	err = s.stand.Postgres().QueryRow(ctx, "SELECT (SELECT count(*) FROM completions), "+bytesOfRows).Scan(&rows, &bytes)
	return rows, bytes, err
}

// spare is what is on the disk besides rows, in bytes: PostgreSQL's log, answers
// that are kept, Redis' file and the one that takes its place, the journal.
const spare = 6 << 30

// roomOnDisk fails where the rows of the whole run would not fit, as long as those
// so far.
func (s *soak) roomOnDisk(ctx context.Context) (err error) {
	f := &s.found
	if f.rows[0], f.bytes[0], err = s.weigh(ctx); err != nil {
		return err
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(s.stand.Dir(), &disk); err != nil {
		return err
	}
	free := float64(disk.Bavail) * float64(disk.Bsize)
	need := float64(f.bytes[0])/float64(max(f.rows[0], 1))*float64(f.rate)*s.options.For.Seconds() + spare
	fmt.Fprintf(s.options.Progress, "will write about %.1f GB, of %.1f GB that are free\n", need/1e9, free/1e9)
	if need > free {
		return fmt.Errorf("%s at %d requests/s need about %.0f GB in %s, where %.0f GB are free: let it run shorter, at a smaller share, or set TMPDIR to another disk",
			s.options.For, f.rate, need/1e9, os.TempDir(), free/1e9)
	}
	return nil
}

// finish waits until all is stored, and has it held against what was answered.
func (s *soak) finish(ctx context.Context) error {
	f := &s.found
	fmt.Fprintln(s.options.Progress, "waiting until everything is stored, then busu reconcile")
	if err := s.caughtUp(ctx); err != nil {
		return err
	}
	out, err := s.stand.Command(ctx, "reconcile", "--wait", "2m").CombinedOutput()
	f.reconciled, f.isReconciled = string(out), err == nil
	if err != nil {
		err = fmt.Errorf("busu reconcile: %w\n%s", err, out)
	}
	var weighed error
	f.rows[1], f.bytes[1], weighed = s.weigh(ctx)
	return errors.Join(err, weighed)
}
