package live

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

// listeners are WebSockets on /metrics/live, read with as little as it takes:
// what is measured shares its cores with them.
type listeners struct {
	interval time.Duration
	conns    []net.Conn
	reading  sync.WaitGroup
	counting atomic.Bool
	began    time.Time

	mu    sync.Mutex
	heard heard
}

// heard is what came to listeners while it counted.
type heard struct {
	length    time.Duration
	snapshots int
	late      []time.Duration // behind each one's own schedule
	ages      []time.Duration // of what a few of them were shown
	bytes     int64           // of the largest snapshot
	ended     int             // listeners that lost their connection
}

func (h *heard) ms(of []time.Duration, share float64) float64 {
	return measure.Percentile(of, share) / 1000
}

const connectAtOnce = 50

// connect opens all of them.
func (l *listeners) connect(ctx context.Context, addr string, n int) error {
	var mu sync.Mutex
	var failed error
	turns := make(chan struct{}, connectAtOnce)
	var opening sync.WaitGroup
	for i := range n {
		turns <- struct{}{}
		opening.Go(func() {
			defer func() { <-turns }()
			conn, r, err := l.open(ctx, addr)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = errors.Join(failed, err)
				return
			}
			l.conns = append(l.conns, conn)
			l.reading.Go(func() { l.read(r, i%100 == 0) })
		})
		if ctx.Err() != nil {
			break
		}
	}
	opening.Wait()
	return errors.Join(failed, ctx.Err())
}

func (l *listeners) open(ctx context.Context, addr string) (net.Conn, *bufio.Reader, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	_, err = fmt.Fprintf(conn, "GET /metrics/live?interval=%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", l.interval, addr)
	if err != nil {
		return nil, nil, err
	}
	r := bufio.NewReaderSize(conn, 4<<10)
	answer, err := http.ReadResponse(r, nil)
	if err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("listen: %s", answer.Status)
	}
	return conn, r, err
}

// read reads snapshots until the connection ends. The first is due at once, when
// the server has said yes.
func (l *listeners) read(r *bufio.Reader, looks bool) {
	due := time.Now()
	for {
		n, body, err := frame(r, looks)
		if err != nil {
			l.mu.Lock()
			if l.counting.Load() {
				l.heard.ended++
			}
			l.mu.Unlock()
			return
		}
		now := time.Now()
		if l.counting.Load() {
			l.note(now, due, n, body)
		}
		for due = due.Add(l.interval); now.Sub(due) > l.interval/2; { // left out, where it is that late
			due = due.Add(l.interval)
		}
	}
}

func (l *listeners) note(now, due time.Time, n int64, body []byte) {
	var snapshot struct {
		AsOf time.Time `json:"as_of"`
	}
	looked := body != nil && json.Unmarshal(body, &snapshot) == nil
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard.snapshots++
	l.heard.late = append(l.heard.late, max(now.Sub(due), 0))
	l.heard.bytes = max(l.heard.bytes, n)
	if looked {
		l.heard.ages = append(l.heard.ages, now.Sub(snapshot.AsOf))
	}
}

// frame reads one frame of a server, which does not mask, and gives its bytes to
// those that look.
func frame(r *bufio.Reader, looks bool) (n int64, body []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, nil, err
	}
	const text = 0x81
	if head[0] != text {
		return 0, nil, fmt.Errorf("frame of kind %#x", head[0])
	}
	switch n = int64(head[1]); n {
	case 126:
		_, err = io.ReadFull(r, head[2:4])
		n = int64(binary.BigEndian.Uint16(head[2:4]))
	case 127:
		_, err = io.ReadFull(r, head[2:10])
		n = int64(binary.BigEndian.Uint64(head[2:10]))
	}
	if err != nil {
		return 0, nil, err
	}
	if looks {
		body = make([]byte, n)
		_, err = io.ReadFull(r, body)
		return n, body, err
	}
	_, err = io.CopyN(io.Discard, r, n)
	return n, nil, err
}

func (l *listeners) begin() {
	l.began = time.Now()
	l.counting.Store(true)
}

func (l *listeners) end() heard {
	l.counting.Store(false)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard.length = time.Since(l.began)
	return l.heard
}

func (l *listeners) close() {
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.reading.Wait()
}
