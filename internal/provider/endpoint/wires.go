package endpoint

import (
	"bufio"
	"context"
	"net"
	"time"
)

// take gives a connection to a host: the one that was used last, since it is the
// least likely to be closed by now, or a new one.
func (p *plain) take(ctx context.Context, host string) (w *wire, used bool, err error) {
	for w := p.pop(host); w != nil; w = p.pop(host) {
		if w.alive() {
			return w, true, nil
		}
		_ = w.conn.Close()
	}
	address := host
	if _, _, err := net.SplitHostPort(host); err != nil {
		address = net.JoinHostPort(host, "80")
	}
	conn, err := p.dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, false, err
	}
	w = &wire{host: host, conn: conn, alive: lookAt(conn)}
	w.in = bufio.NewReader(w)
	return w, false, nil
}

func (p *plain) pop(host string) *wire {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.idle[host]
	if len(kept) == 0 {
		return nil
	}
	w := kept[len(kept)-1]
	kept[len(kept)-1] = nil
	p.idle[host] = kept[:len(kept)-1]
	return w
}

// put keeps a connection for the next call, if there is room.
func (p *plain) put(w *wire) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle[w.host]) >= mostIdle {
		return false
	}
	if p.idle == nil {
		p.idle = map[string][]*wire{}
	}
	w.since = time.Now()
	p.idle[w.host] = append(p.idle[w.host], w)
	if !p.sweeps {
		p.sweeps = true
		time.AfterFunc(idleFor, p.sweep)
	}
	return true
}

// sweep closes what nobody has needed for long, and comes again while there is
// anything.
func (p *plain) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := time.Now().Add(-idleFor)
	for host, kept := range p.idle {
		old := 0
		for old < len(kept) && !kept[old].since.After(before) {
			_ = kept[old].conn.Close()
			old++
		}
		p.idle[host] = append([]*wire(nil), kept[old:]...)
		if old == len(kept) {
			delete(p.idle, host)
		}
	}
	if p.sweeps = len(p.idle) > 0; p.sweeps {
		time.AfterFunc(idleFor, p.sweep)
	}
}

// close closes what is idle, and keeps nothing from then on.
func (p *plain) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, kept := range p.idle {
		for _, w := range kept {
			_ = w.conn.Close()
		}
	}
	p.idle = nil
}
