package simulate

import "time"

// line is a queue, first in first out.
type line[T any] struct {
	items []T
	head  int
}

func (l *line[T]) push(item T) { l.items = append(l.items, item) }

func (l *line[T]) len() int { return len(l.items) - l.head }

func (l *line[T]) pop() T {
	item := l.items[l.head]
	l.items[l.head] = *new(T)
	if l.head++; l.head > 1024 && 2*l.head > len(l.items) {
		l.items = append(l.items[:0], l.items[l.head:]...)
		l.head = 0
	}
	return item
}

// take gives up to n items.
func (l *line[T]) take(n int) []T {
	n = min(n, l.len())
	taken := make([]T, 0, n)
	for range n {
		taken = append(taken, l.pop())
	}
	return taken
}

// cores are those of a machine. Work waits in order for one; with a quantum,
// what takes longer than that goes to the end of the queue again, as a kernel
// would have it.
type cores struct {
	clock   *clock
	name    string
	all     int
	free    int
	quantum time.Duration // 0: work is not interrupted
	waiting line[work]
	busy    time.Duration // of all cores together
}

type work struct {
	left time.Duration
	then func()
}

func (c *clock) cores(name string, n int, quantum time.Duration) *cores {
	return &cores{clock: c, name: name, all: n, free: n, quantum: quantum}
}

// do works for some time on one core.
func (c *cores) do(length time.Duration, then func()) {
	if c.free == 0 {
		c.waiting.push(work{length, then})
		return
	}
	c.free--
	c.turn(work{length, then})
}

func (c *cores) turn(w work) {
	length := w.left
	if c.quantum > 0 {
		length = min(length, c.quantum)
	}
	c.clock.after(length, func() { c.turned(w, length) })
}

func (c *cores) turned(w work, length time.Duration) {
	c.busy += length
	if w.left -= length; w.left > 0 {
		c.waiting.push(w)
		c.turn(c.waiting.pop())
		return
	}
	if c.waiting.len() > 0 {
		c.turn(c.waiting.pop())
	} else {
		c.free++
	}
	w.then()
}

// doors let so many in at once: connections of a pool, the one thread of a
// server.
type doors struct {
	clock   *clock
	name    string
	all     int
	free    int
	waiting line[func()]
	since   time.Duration // when free changed last
	busy    time.Duration // of all together
}

func (c *clock) doors(name string, n int) *doors {
	return &doors{clock: c, name: name, all: n, free: n}
}

// note adds up what was busy until now.
func (d *doors) note() {
	d.busy += time.Duration(d.all-d.free) * (d.clock.now - d.since)
	d.since = d.clock.now
}

func (d *doors) enter(do func()) {
	if d.free == 0 {
		d.waiting.push(do)
		return
	}
	d.note()
	d.free--
	do()
}

func (d *doors) leave() {
	if d.waiting.len() > 0 {
		d.waiting.pop()()
		return
	}
	d.note()
	d.free++
}

// server is a program that does one thing after the other, on a core of its
// machine: a Redis.
type server struct {
	thread *doors
	cores  *cores
}

func newServer(c *cores) *server { return &server{thread: c.clock.doors(c.name, 1), cores: c} }

func (s *server) do(length time.Duration, then func()) {
	s.ask(func() time.Duration { return length }, then)
}

// ask is do with a length that is known when its turn comes.
func (s *server) ask(length func() time.Duration, then func()) {
	s.thread.enter(func() {
		s.cores.do(length(), func() {
			s.thread.leave()
			then()
		})
	})
}
