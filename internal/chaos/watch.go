package chaos

import (
	"context"
	"time"
)

// watch looks at something while things go wrong, until it is stopped.
type watch struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func startWatch(every time.Duration, look func(context.Context)) *watch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				look(ctx)
			}
		}
	}()
	return w
}

func (w *watch) stop() {
	w.cancel()
	<-w.done
}
