package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/experiment"
)

// courses are experiments of the project p, in the course of one.
type courses struct {
	course
	all   []experiment.Status
	lists atomic.Int64
	hangs bool
}

func (c *courses) Experiments(ctx context.Context, project string, _ bool, _ int) ([]experiment.Status, error) {
	c.lists.Add(1)
	if c.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if project != "p" {
		return nil, nil
	}
	return slices.Clone(c.all), nil
}

func (c *courses) Progress(ctx context.Context, project, _ string, entered bool) (experiment.Status, experiment.State, experiment.Live, error) {
	return c.course.Progress(ctx, project, "e", entered)
}

// newCourses has some experiments, of which the last has ended. To read where
// one stands takes a while.
func newCourses(n int, takes time.Duration) *courses {
	c := &courses{course: course{decided: time.Now().Add(time.Hour), takes: at(takes)}}
	for i := range n {
		s := experiment.Status{State: experiment.StateRunning}
		s.ID, s.Project = fmt.Sprint("e", i), "p"
		c.all = append(c.all, s)
	}
	last := &c.all[n-1]
	last.State, last.EndedAt = experiment.StateStopped, new(time.Now().Add(-time.Hour))
	return c
}

func quietListing(c *courses) *listing { return newListing(c, slog.New(slog.DiscardHandler)) }

func standingOf(l experiment.List) (standing int) {
	for _, x := range l.Experiments {
		if x.Standing != nil && x.Standing.Users == 7 && x.Standing.Target == 100 && x.Standing.Verdict != "" {
			standing++
		}
	}
	return standing
}

// A list without PostgreSQL is the last one, and says so; it comes within a
// second, and so does the refusal of one that was never read.
func TestListsWithoutPostgres(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCourses(3, 0)
		l := quietListing(c)
		first, err := l.List(t.Context(), "p", false)
		if err != nil || standingOf(first) != 3 || len(first.Degraded) != 0 {
			t.Fatalf("%+v, %v", first, err)
		}
		c.hangs, c.away = true, true
		time.Sleep(time.Hour)
		began := time.Now()
		stale, err := l.List(t.Context(), "p", false)
		if err != nil || standingOf(stale) != 3 || !slices.Equal(stale.Degraded, []string{"postgres"}) || !stale.AsOf.Equal(first.AsOf) {
			t.Errorf("without PostgreSQL %+v is told, %v", stale, err)
		}
		if _, err := l.List(t.Context(), "another", false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("another project is told %v", err)
		}
		if _, err := l.List(t.Context(), "p", true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("of archived ones is told %v", err)
		}
		if took := time.Since(began); took > 3*listWithin {
			t.Errorf("three answers took %s", took)
		}
	})
}

// Who starts an experiment finds it in the list at once; where all stand is read
// seldom, and of what has ended once a minute.
func TestStandingsAreReadSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCourses(2, 50*time.Millisecond)
		l := quietListing(c)
		for i := range 60 {
			if i == 30 {
				c.all = append(c.all, c.all[0])
				c.all[2].ID = "e2"
			}
			list, err := l.List(t.Context(), "p", false)
			if want := 2 + i/30; err != nil || len(list.Experiments) != want || standingOf(list) != want {
				t.Fatalf("%d: %+v, %v", i, list, err)
			}
			time.Sleep(500 * time.Millisecond)
		}
		if n := c.reads.Load(); n < 30 || n > 60 || c.lists.Load() != 60 {
			t.Errorf("in half a minute of 60 lists it was read %d times where they stand, and %d times what there is", n, c.lists.Load())
		}
	})
}

// However many experiments there are, the list comes in time, with what is known
// by then; the next one has more.
func TestLongListsComeInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCourses(100, 30*time.Millisecond)
		l := quietListing(c)
		known := 0
		for range 3 {
			began := time.Now()
			list, err := l.List(t.Context(), "p", false)
			if took := time.Since(began); err != nil || took > listWithin+100*time.Millisecond {
				t.Fatalf("it took %s, %v", took, err)
			}
			if n := standingOf(list); n <= known {
				t.Errorf("%d of %d are told, before %d", n, len(list.Experiments), known)
			} else {
				known = n
			}
		}
	})
}
