package gateway

import (
	"context"
	"log/slog"
	"time"
)

// followEvery bounds how long a gateway goes by what was before: snapshots,
// experiments, guards.
const (
	followEvery  = time.Second
	followWithin = 5 * time.Second
)

// follow reads once a second until ctx ends. failed says what stands while
// nothing can be read.
func follow(ctx context.Context, log *slog.Logger, failed string, read func(context.Context) error) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		if err := read(ctx); err != nil && ctx.Err() == nil {
			log.Debug(failed, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
