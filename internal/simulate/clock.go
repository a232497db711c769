package simulate

import "time"

// clock has what will happen, in order of time; what happens at the same time
// does so in the order in which it was planned, so that a run can be repeated.
type clock struct {
	now   time.Duration
	queue []happening // a heap: the next one first
	count uint64
}

type happening struct {
	at    time.Duration
	order uint64
	do    func()
}

func (h happening) before(other happening) bool {
	return h.at < other.at || h.at == other.at && h.order < other.order
}

// after plans do for a while from now.
func (c *clock) after(wait time.Duration, do func()) {
	c.count++
	c.queue = append(c.queue, happening{c.now + wait, c.count, do})
	for i := len(c.queue) - 1; i > 0; {
		up := (i - 1) / 2
		if !c.queue[i].before(c.queue[up]) {
			return
		}
		c.queue[i], c.queue[up] = c.queue[up], c.queue[i]
		i = up
	}
}

// next takes what happens next.
func (c *clock) next() happening {
	h := c.queue[0]
	last := len(c.queue) - 1
	c.queue[0], c.queue[last] = c.queue[last], happening{}
	c.queue = c.queue[:last]
	for i := 0; ; {
		first := 2*i + 1
		if first >= last {
			return h
		}
		if second := first + 1; second < last && c.queue[second].before(c.queue[first]) {
			first = second
		}
		if !c.queue[first].before(c.queue[i]) {
			return h
		}
		c.queue[i], c.queue[first] = c.queue[first], c.queue[i]
		i = first
	}
}

// run lets time pass until done, or until a time, or until nothing is left to
// happen.
func (c *clock) run(until time.Duration, done func() bool) {
	for len(c.queue) > 0 && c.queue[0].at <= until && !done() {
		h := c.next()
		c.now = h.at
		h.do()
	}
}

// every repeats do, first after wait.
func (c *clock) every(wait, interval time.Duration, do func()) {
	c.after(wait, func() {
		do()
		c.every(interval, interval, do)
	})
}
