package load

import (
	"context"
	"sync"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

// Open sends requests at a rate, each when it is due, however many are under
// way; where all connections are busy it waits for one, and that counts: its
// latency begins when it is due.
func Open(ctx context.Context, l Load) (Outcome, error) {
	o := &open{tally: newTally(&l)}
	gap := time.Second / time.Duration(l.Rate)
	warm, n := int(l.Warm/gap), int((l.Warm+l.For)/gap)
	start, began := time.Now(), time.Now()
	var telling sync.WaitGroup
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		due := start.Add(time.Duration(i) * gap)
		await(due)
		if i == warm {
			telling.Go(func() { l.tell(true) }) // what takes its time must not make the next one late
			began = time.Now()
		}
		o.send(job{i, due, i >= warm})
	}
	elapsed := time.Since(began)
	telling.Wait()
	l.tell(false)
	o.under.Wait()
	o.close()
	return o.outcome(ctx, elapsed)
}

// spin is how long before a request is due its pacer no longer sleeps, because
// sleeping is that inexact.
const spin = 100 * time.Microsecond

func await(due time.Time) {
	measure.SleepExactly(time.Until(due) - spin)
	for time.Now().Before(due) {
	}
}

// job is a request to be sent.
type job struct {
	number  int
	due     time.Time
	counted bool
}

// open is an open loop: who paces writes to a connection that is idle, and
// whoever reads from it counts.
type open struct {
	*tally
	under sync.WaitGroup // requests

	mu      sync.Mutex
	idle    []*lane // the last used is used next
	lanes   map[*lane]bool
	waiting []job
}

// lane is a connection, and what is under way on it.
type lane struct {
	*Conn
	request []byte
	jobs    chan job // the one under way: whoever writes hands it to who reads
}

func (o *open) send(j job) {
	o.under.Add(1)
	o.place(j)
}

// place gives a request to a connection that is idle, or new, or lets it wait.
func (o *open) place(j job) {
	o.mu.Lock()
	if last := len(o.idle) - 1; last >= 0 {
		way := o.idle[last]
		o.idle = o.idle[:last]
		o.mu.Unlock()
		o.write(way, j)
		return
	}
	defer o.mu.Unlock()
	if len(o.lanes) < o.load.Connections {
		way := &lane{jobs: make(chan job, 1)}
		if o.lanes == nil {
			o.lanes = map[*lane]bool{}
		}
		o.lanes[way] = true
		go o.begin(way, j) // opening one takes time that others' turn must not wait for
		return
	}
	o.waiting = append(o.waiting, j)
}

// write goes before the hand-over: the reader is only awake once an answer
// comes, and then finds the job at once, or the moment after.
func (o *open) write(way *lane, j job) {
	way.request = o.load.Request(way.request, j.number)
	_, _ = way.Write(way.request) // whoever reads learns of a broken connection, too
	way.jobs <- j
}

func (o *open) begin(way *lane, j job) {
	conn, err := Dial(o.load.Addr)
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(o.load.Warm + o.load.For + graceful))
	}
	if err != nil {
		o.done(j, Reply{}, err)
		o.drop(way)
		return
	}
	o.mu.Lock()
	way.Conn = conn
	o.mu.Unlock()
	o.write(way, j)
	o.serve(way)
}

// serve reads answers until the connection ends.
func (o *open) serve(way *lane) {
	defer way.Conn.Close()
	for {
		r, err := way.Read(o.holds)
		if err != nil && o.retire(way) {
			return // it ended while it was idle
		}
		o.done(<-way.jobs, r, err)
		if err != nil || r.Closes {
			o.drop(way)
			return
		}
		o.release(way)
	}
}

func (o *open) done(j job, r Reply, err error) {
	if j.counted {
		o.count(j.due, r, err)
	}
	o.under.Done()
}

// release gives a connection to a request that waits, or to the idle ones.
func (o *open) release(way *lane) {
	o.mu.Lock()
	if len(o.waiting) == 0 {
		o.idle = append(o.idle, way)
		o.mu.Unlock()
		return
	}
	j := o.waiting[0]
	o.waiting = o.waiting[1:]
	o.mu.Unlock()
	o.write(way, j)
}

// retire reports whether a connection was idle, which it no longer is.
func (o *open) retire(way *lane) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, idle := range o.idle {
		if idle == way {
			o.idle = append(o.idle[:i], o.idle[i+1:]...)
			delete(o.lanes, way)
			return true
		}
	}
	return false
}

// drop makes room for another connection, which a request that waits gets.
func (o *open) drop(way *lane) {
	o.mu.Lock()
	delete(o.lanes, way)
	if len(o.waiting) == 0 {
		o.mu.Unlock()
		return
	}
	j := o.waiting[0]
	o.waiting = o.waiting[1:]
	o.mu.Unlock()
	o.place(j)
}

func (o *open) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for way := range o.lanes {
		if way.Conn != nil {
			_ = way.Conn.Close()
		}
	}
}
