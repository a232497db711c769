package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/gateway"
)

type trippedGuards struct {
	projects []string
	err      error
}

// notice is what can be heard of guards now.
type notice struct{ now atomic.Pointer[trippedGuards] }

func (n *notice) Tripped(context.Context) ([]string, error) {
	g := n.now.Load()
	return g.projects, g.err
}

// What was heard last stands while nothing can be heard.
func TestGuardsAreFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gateway.Guards
		from := new(notice)
		from.now.Store(&trippedGuards{err: errors.New("away")})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = g.Follow(ctx, from, slog.New(slog.DiscardHandler)) }()
		for i, step := range []struct {
			from    trippedGuards
			tripped bool
		}{{trippedGuards{nil, errors.New("away")}, false}, {trippedGuards{[]string{"b", "a"}, nil}, true},
			{trippedGuards{nil, errors.New("away")}, true}, {trippedGuards{[]string{"b"}, nil}, false}} {
			from.now.Store(&step.from)
			time.Sleep(1500 * time.Millisecond)
			synctest.Wait()
			if g.Tripped("a") != step.tripped || g.Tripped("c") {
				t.Errorf("step %d: tripped %t", i, g.Tripped("a"))
			}
		}
		stop()
		<-done
	})
}
