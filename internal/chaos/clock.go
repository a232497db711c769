package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// clock is the machine's. What steps it, steps it for everybody, so it happens
// only when asked for, and whatever ends us, a guard puts it right.
type clock struct {
	guard *exec.Cmd
	alive io.Closer // the guard acts when it is closed, by us or by our end

	mu    sync.Mutex
	right time.Time // a moment at which the clock was right; its monotonic reading goes on
}

// farthest is the largest step, and as far as two machines of one deployment may
// ever be apart.
const farthest = 90 * time.Second

// startClock starts the guard, which is a command that runs GuardClock.
func startClock(guard []string) (*clock, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("stepping the machine's clock needs root")
	}
	if len(guard) == 0 {
		return nil, errors.New("nothing would put the machine's clock right if we were killed")
	}
	c := &clock{guard: exec.Command(guard[0], guard[1:]...), right: time.Now()}
	c.guard.Stderr = os.Stderr
	c.guard.SysProcAttr = inItsOwnGroup() // Ctrl-C is for us
	alive, err := c.guard.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.alive = alive
	if err := c.guard.Start(); err != nil {
		return nil, fmt.Errorf("start what guards the clock: %w", err)
	}
	return c, nil
}

// GuardClock puts the clock as it was when it began, time passed added, as soon
// as alive ends.
func GuardClock(alive io.Reader) error {
	right := time.Now()
	_, err := io.Copy(io.Discard, alive)
	return errors.Join(err, putRight(right))
}

// tolerated is what a clock may be off without being set: it is read and set at
// two moments.
const tolerated = 50 * time.Millisecond

// putRight sets the clock to what it would read had nobody touched it since.
func putRight(right time.Time) error {
	now := right.Add(time.Since(right)) // by the monotonic clock, which nobody can set
	if off := time.Until(now.Round(0)).Abs(); off < tolerated {
		return nil
	}
	return setClock(right.Add(time.Since(right)))
}

// step puts the clock off for a while.
func (c *clock) step(ctx context.Context, by, lasts time.Duration) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { err = errors.Join(err, putRight(c.right)) }()
	if err := setClock(c.right.Add(time.Since(c.right)).Add(by)); err != nil {
		return fmt.Errorf("step the clock: %w", err)
	}
	pause(ctx, lasts)
	return nil
}

// close puts the clock right and lets the guard look once more.
func (c *clock) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(putRight(c.right), c.alive.Close(), c.guard.Wait())
}
