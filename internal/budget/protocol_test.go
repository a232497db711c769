package budget_test

import (
	"fmt"
	"testing"
	"time"
)

// fault is something that happens to a world.
func (w *world) fault() {
	if len(w.alive()) == 0 {
		w.start(w.newLog())
	}
	alive := w.alive()
	p := alive[w.IntN(len(alive))]
	switch w.IntN(8) {
	case 0:
		w.crash(p, true)
	case 1:
		w.crash(p, false)
		w.start(w.newLog())
	case 2:
		w.deskAway = w.now.Add(w.upTo(20 * time.Second))
	case 3: // it is killed, loses what it was told in the last second, and comes back
		w.deskAway = w.now.Add(w.upTo(3 * time.Second))
		w.calm = w.deskAway.Add(5 * time.Second)
		known := w.copies[w.IntN(len(w.copies))]
		w.desk.Restart(known)
		w.copies = w.copies[:0]
		w.copies = append(w.copies, w.desk.Copy())
	case 4:
		w.desk.Lose()
		w.calm = w.now.Add(5 * time.Second)
	case 5:
		w.booksOff = w.now.Add(w.upTo(2 * time.Minute))
	case 6:
		if w.now.After(w.calm) {
			p.cutOff = w.now.Add(w.upTo(2 * time.Minute))
		}
	case 7:
		p.demand = w.IntN(1000)
	}
}

// Whatever is lost, comes late or dies, the limit holds; and when one process
// remains and all is well again, it can spend what is left.
func TestTheLimitHolds(t *testing.T) {
	t.Parallel()
	worlds := 100
	if testing.Short() {
		worlds = 20
	}
	for seed := range uint64(worlds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed, 1+int(seed%4))
			w.run(w.upTo(10 * time.Second))
			for range w.IntN(12) {
				w.run(w.upTo(time.Duration(1+w.IntN(30)) * time.Second))
				w.fault()
				for _, p := range w.all { // who is cut off when the desk is lost is another story: see docs/budgets.md
					if w.now.Before(w.calm) {
						p.cutOff = w.now
					}
				}
			}
			w.run(30 * time.Second) // the dead are back by now
			alive := w.alive()
			for _, p := range alive[1:] {
				w.crash(p, false)
			}
			w.calm = w.now.Add(time.Hour)
			w.deskAway, w.booksOff, alive[0].cutOff, alive[0].demand = w.now, w.now, w.now, 900
			for range 40 {
				if w.run(30 * time.Second); w.spent() > w.limit-w.most {
					return
				}
			}
			t.Errorf("%s of %s are spent, and no more can be", w.spent(), w.limit)
		})
	}
}
