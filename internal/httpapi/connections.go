package httpapi

import (
	"net"
	"sync"
	"sync/atomic"
)

// Connections bounds how many callers are connected through a listener. Those
// above wait with the kernel, which takes no descriptor of this process: what is
// left of these is for providers, stores and the journal, without which nothing
// is answered.
type Connections struct {
	net.Listener
	room   chan struct{} // holds one for each connection, and one for who waits for the next
	open   atomic.Int64
	closed chan struct{}
	close  func() error
}

// Bound bounds a listener.
func Bound(l net.Listener, most int) *Connections {
	c := &Connections{Listener: l, room: make(chan struct{}, most), closed: make(chan struct{})}
	c.close = sync.OnceValue(func() error {
		close(c.closed)
		return l.Close()
	})
	return c
}

// Open is how many are connected.
func (c *Connections) Open() int { return int(c.open.Load()) }

// Most is how many may be.
func (c *Connections) Most() int { return cap(c.room) }

// Accept waits for room, and then for a caller.
func (c *Connections) Accept() (net.Conn, error) {
	select {
	case c.room <- struct{}{}:
	case <-c.closed:
		return nil, net.ErrClosed
	}
	conn, err := c.Listener.Accept()
	if err != nil {
		<-c.room
		return nil, err
	}
	c.open.Add(1)
	return &connection{Conn: conn, leave: sync.OnceFunc(func() {
		c.open.Add(-1)
		<-c.room
	})}, nil
}

// Close stops listening, also for one that waits for room. Connections stay.
func (c *Connections) Close() error { return c.close() }

// connection leaves its place when it is closed, however often.
type connection struct {
	net.Conn
	leave func()
}

func (c *connection) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
