package localstack

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// endLeftovers ends what a killed predecessor left running in dir, politely
// first. The lock on the state directory says that nobody needs it any more.
func endLeftovers(ctx context.Context, dir, pidFile string, polite syscall.Signal, names ...string) error {
	started := time.Now()
	for {
		pids := leftovers(dir, pidFile, names...)
		if len(pids) == 0 {
			return nil
		}
		waited := time.Since(started)
		if waited > 10*time.Second {
			return fmt.Errorf("process %d of an earlier run still works in %s and does not end; end it with: kill -9 %d", pids[0], dir, pids[0])
		}
		sig := polite
		if waited > 3*time.Second {
			sig = syscall.SIGKILL
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, sig) // one that has just ended needs no signal
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
