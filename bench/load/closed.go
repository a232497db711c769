package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Closed lets each connection send its next request when it has the answer. It
// fails where no connection could be opened, or ctx has ended.
func Closed(ctx context.Context, l Load) (Outcome, error) {
	c := &closed{tally: newTally(&l)}
	var all sync.WaitGroup
	for range l.Connections {
		conn, err := c.dial()
		if err != nil {
			c.ends.Store(true)
			all.Wait()
			return Outcome{}, err
		}
		all.Go(func() { c.run(ctx, conn) })
	}
	pause(ctx, l.Warm)
	l.tell(true)
	began := time.Now()
	c.counting.Store(true)
	pause(ctx, l.For)
	c.counting.Store(false)
	elapsed := time.Since(began)
	l.tell(false)
	c.ends.Store(true)
	all.Wait()
	return c.outcome(ctx, elapsed)
}

type closed struct {
	*tally
	next atomic.Int64
	ends atomic.Bool
}

func (c *closed) dial() (*Conn, error) {
	conn, err := Dial(c.load.Addr)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(c.load.Warm + c.load.For + graceful))
}

// run opens another connection where one breaks.
func (c *closed) run(ctx context.Context, conn *Conn) {
	var request []byte
	for !c.ends.Load() && ctx.Err() == nil {
		request = c.load.Request(request, int(c.next.Add(1)-1))
		began := time.Now()
		r, err := conn.exchange(request, c.holds)
		if c.counting.Load() {
			c.count(began, r, err)
		}
		if err == nil && !r.Closes {
			continue
		}
		_ = conn.Close()
		if conn, err = c.dial(); err != nil {
			c.note(err)
			return
		}
	}
	_ = conn.Close()
}

func (c *Conn) exchange(request, holds []byte) (Reply, error) {
	if _, err := c.Write(request); err != nil {
		return Reply{}, err
	}
	return c.Read(holds)
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
