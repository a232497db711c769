package worker_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/worker"
)

// upkeepStores counts what upkeep does.
type upkeepStores struct {
	mu       sync.Mutex
	days     int
	kept     int // heartbeats
	merged   int // times
	shrunk   int
	fives    int       // times that five minutes were kept
	fivesOf  time.Time // from when on, first
	dropped  []time.Time
	features []time.Time // dropped
	horizons []time.Time
	lanes    []event.Lane
}

func (u *upkeepStores) Heartbeats(context.Context) ([]event.Heartbeat, error) {
	return []event.Heartbeat{{Journal: "j"}}, nil
}

func (u *upkeepStores) KeepHeartbeats(_ context.Context, beats []event.Heartbeat) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.kept += len(beats)
	return nil
}

func (u *upkeepStores) MergeRollups(context.Context) (int, error) {
	u.merged++
	if u.merged%2 == 0 {
		return 0, errors.New("away")
	}
	return 10, nil
}

func (u *upkeepStores) KeepFiveMinutes(_ context.Context, from time.Time) (int64, error) {
	if u.fives++; u.fives == 1 {
		u.fivesOf = from
		return 0, errors.New("away")
	}
	if u.fives < 5 {
		return 10, nil
	}
	return 0, nil
}

func (u *upkeepStores) ShrinkRollups(context.Context) error {
	u.shrunk++
	return errors.New("away")
}

func (u *upkeepStores) DropDays(_ context.Context, before, features time.Time) ([]string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.dropped, u.features = append(u.dropped, before), append(u.features, features)
	return nil, nil
}

func (u *upkeepStores) EnsureDays(_ context.Context, _ time.Time, days int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.days++; u.days == 1 {
		return errors.New("away")
	}
	return nil
}

func (u *upkeepStores) Fullness(context.Context) (float64, error) { return .5, nil }

func (u *upkeepStores) Trim(_ context.Context, lane event.Lane, horizon time.Time, _ []string) (int64, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.horizons, u.lanes = append(u.horizons, horizon), append(u.lanes, lane)
	return 0, nil
}

func (u *upkeepStores) Dismiss(context.Context, event.Lane, time.Duration) (int64, error) {
	return 0, nil
}

// beats are heartbeats of which the next are given every time.
type beats struct {
	upkeepStores
	seqs []map[string]int64
}

func (b *beats) Heartbeats(context.Context) ([]event.Heartbeat, error) {
	now := b.seqs[0]
	b.seqs = b.seqs[min(1, len(b.seqs)-1):]
	return []event.Heartbeat{{Journal: "other"}, {Journal: "j", Seqs: now}}, nil
}

// Facts in partitions that nobody here reads are said once, each time that they
// come up.
func TestUpkeepTellsOfPartitionsThatAreNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		beyond := event.Lane{Stream: lane.Stream, Partition: 3}.String()
		none, some := map[string]int64{lane.String(): 5, beyond: 0}, map[string]int64{lane.String(): 5, beyond: 1}
		s := &beats{seqs: []map[string]int64{none, some, some, some, none, none, some, some}}
		u := &worker.Upkeep{Streams: s, Days: s, Beats: s, Keeper: s, Rollups: s, Lanes: []event.Lane{lane}, Log: slog.New(slog.NewTextHandler(&said, nil))}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := u.Run(ctx); err != nil {
			t.Error(err)
		}
		if n := strings.Count(said.String(), beyond); n != 2 || len(s.seqs) != 1 {
			t.Errorf("it was said %d times, not twice: %s", n, &said)
		}
	})
}

func TestUpkeep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(upkeepStores)
		other := event.Lane{Stream: event.Completions, Partition: 1}
		u := &worker.Upkeep{Streams: s, Days: s, Beats: s, Keeper: s, Rollups: s, Lanes: []event.Lane{lane, other}, Retention: 15 * time.Minute, Keep: 400 * 24 * time.Hour, KeepFeatures: 90 * 24 * time.Hour, Log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		began := time.Now()
		go func() { ended <- u.Run(ctx) }()
		time.Sleep(2*time.Hour + time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if s.days != 4 { // failed, repeated at once, then every hour
			t.Errorf("partitions were made %d times in two hours", s.days)
		}
		if want := began.AddDate(0, 0, -400).Add(time.Second); len(s.dropped) != 3 || !s.dropped[0].Equal(want) {
			t.Errorf("days were dropped before %v, not before %s first", s.dropped, want)
		}
		if want := began.AddDate(0, 0, -90).Add(time.Second); len(s.features) != 3 || !s.features[0].Equal(want) {
			t.Errorf("features were dropped before %v, not before %s first", s.features, want)
		}
		if s.kept < 7000 {
			t.Errorf("%d heartbeats were kept in two hours", s.kept)
		}
		if s.merged < 7000 {
			t.Errorf("rollups were merged %d times in two hours", s.merged)
		}
		if s.shrunk < 115 || s.shrunk > 122 {
			t.Errorf("rollups were shrunk %d times in two hours", s.shrunk)
		}
		if want := rollup.EarliestFrom(5*time.Minute, began); s.fives < 120 || s.fives > 126 || !s.fivesOf.Equal(want) { // failed, four times at once, then every minute
			t.Errorf("five minutes were kept %d times in two hours, from %s on first, not %s", s.fives, s.fivesOf, want)
		}
		if want := began.Add(-15 * time.Minute); !s.horizons[0].Equal(want) || !slices.Contains(s.lanes, other) {
			t.Errorf("the first horizon is %s, not %s; lanes %v", s.horizons[0], want, s.lanes[:2])
		}
	})
}
