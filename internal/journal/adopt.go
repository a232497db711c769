package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/busuhq/busu/internal/flock"
)

// Adopter ships the journals of processes that are gone, in the folder that
// they shared, and removes them when everything in them is stored. Requests
// that were under way become facts, as if their process had come back.
type Adopter struct {
	Dir     string // as for OpenFree
	Options Options
	Stream  Stream
	Marks   Marks
	Log     *slog.Logger
}

const adoptEvery = 30 * time.Second

// Run looks for orphans now and then until ctx ends.
func (a *Adopter) Run(ctx context.Context) error {
	tick := time.NewTicker(adoptEvery)
	defer tick.Stop()
	for {
		if _, err := a.Adopt(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("an orphaned journal cannot be shipped", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Adopt ships every orphan that there is now, and returns how many journals
// were stored and removed. A process that starts meanwhile takes another slot.
func (a *Adopter) Adopt(ctx context.Context) (adopted int, err error) {
	folders, err := filepath.Glob(filepath.Join(a.Dir, "[0-9][0-9]"))
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, folder := range folders {
		err := a.adopt(ctx, folder)
		switch {
		case err == nil:
			adopted++
		case !errors.Is(err, flock.ErrHeld) && !errors.Is(err, errEmpty):
			errs = append(errs, fmt.Errorf("%s: %w", folder, err))
		}
	}
	return adopted, errors.Join(errs...)
}

// errEmpty says that there is nothing to adopt in a folder.
var errEmpty = errors.New("the folder holds no journal")

func (a *Adopter) adopt(ctx context.Context, folder string) error {
	lock, err := flock.Take(folder + ".lock")
	if err != nil {
		return err
	}
	if numbers, err := segmentNumbers(folder); err != nil || len(numbers) == 0 {
		if errors.Is(err, os.ErrNotExist) || err == nil {
			err = errEmpty
		}
		return errors.Join(err, lock.Close())
	}
	o := a.Options
	o.Dir, o.Log = folder, a.Log
	j, err := open(o, lock)
	if err != nil {
		return err
	}
	a.Log.Info("shipping the journal of a process that is gone", "journal", folder)
	s := &Shipper{Journal: j, Stream: a.Stream, Marks: a.Marks, Log: a.Log}
	if err := s.drain(ctx); err != nil {
		return errors.Join(err, j.Close())
	}
	return j.retire()
}

// drain ships until everything is stored.
func (s *Shipper) drain(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return errors.Join(err, context.Cause(ctx))
		case <-tick.C:
		}
		if s.Journal.isStored(s.release(ctx).of) {
			s.beat(ctx) // the last that is heard of it: nothing is open
			cancel()
			return <-ended
		}
	}
}
