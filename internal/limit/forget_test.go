package limit

import (
	"context"
	"log/slog"
	"testing"
	"time"
)

// nobody is a desk that takes no report.
type nobody struct{}

func (nobody) Share(context.Context, string, []Report) (Answer, error) {
	return Answer{}, context.DeadlineExceeded
}

// Keys that nobody asks for are forgotten, unless a request is under way; and a
// request that comes just then finds a new lease.
func TestIdleKeysAreForgotten(t *testing.T) {
	t.Parallel()
	k := NewKeeper(nobody{}, "a", false, slog.New(slog.DiscardHandler))
	b := Bucket{Key: "k", Kind: Requests}
	l := k.holding(b).(*lease)
	l.used = time.Now().Add(-2 * idleAfter)
	l.open = 1
	if k.due(); k.holding(b) != holding(l) {
		t.Error("a lease is forgotten that a request is under way of")
	}
	l.open, l.reported = 0, time.Time{}
	if k.due(); k.holding(b) == holding(l) {
		t.Error("an idle lease is kept")
	}
	if v, _ := l.take(time.Now(), 5, 1, -1); v != forgotten {
		t.Errorf("one that is forgotten says %d", v)
	}
	if v, _ := k.holding(b).take(time.Now(), 5, 1, -1); v != wait {
		t.Errorf("a new one says %d", v)
	}
}
