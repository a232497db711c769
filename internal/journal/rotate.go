package journal

import (
	"fmt"
	"time"
)

// storedWithin is how long it takes until a fact is stored and its segment
// goes, where nothing is away.
const storedWithin = time.Minute

// OnDisk is how long what a fact says is on disk at most, where nothing is away
// that it waits for.
func (o Options) OnDisk() time.Duration {
	o.setDefaults()
	return o.SegmentAge + storedWithin
}

// Rotate begins another segment when the oldest of what the active one holds
// is Options.SegmentAge old at now, so that Release can let go of it: on a
// quiet system a segment takes long to become full, and what was forgotten
// elsewhere would stay on disk. A segment that holds nothing stays.
//
// Intents that Release carries to another segment do not count by their age:
// a request that never ends would have every segment followed by another.
func (j *Journal) Rotate(now time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return nil // whoever records is told
	}
	if oldest := j.active().oldest; oldest.IsZero() || now.Sub(oldest) < j.opts.SegmentAge {
		return nil
	}
	if err := j.create(j.reserved); err != nil {
		return fmt.Errorf("rotate the journal: %w", err)
	}
	return nil
}
