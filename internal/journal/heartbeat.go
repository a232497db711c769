package journal

import (
	"time"

	"github.com/busuhq/busu/internal/event"
)

// arriving is how long a request may take from its arrival to its intent.
// What arrived later than that before now may not be known yet.
const arriving = time.Second

// Heartbeat tells how far the journal is at now.
func (j *Journal) Heartbeat(now time.Time) event.Heartbeat {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := event.Heartbeat{Journal: j.id, At: now.UTC(), RecordedUntil: now.UTC().Add(-arriving),
		OpenIntents: len(j.open), Seqs: map[string]int64{}}
	for id := range j.open {
		if at := event.TimeOf(id); at.Before(b.RecordedUntil) {
			b.RecordedUntil = at
		}
	}
	for lane, next := range j.next {
		b.Seqs[lane.String()] = next - 1
	}
	return b
}

// closing are the last heartbeats of ids that were given up: their requests
// under way became facts of this journal. They say nothing of seqs: what was
// announced stays announced.
func (j *Journal) closing(now time.Time) []event.Heartbeat {
	var beats []event.Heartbeat
	for _, id := range j.former {
		beats = append(beats, event.Heartbeat{Journal: id, At: now.UTC(), RecordedUntil: now.UTC()})
	}
	return beats
}
