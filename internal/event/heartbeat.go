package event

import "time"

// Heartbeat is what a journal says of itself about once a second: how far it
// has numbered, and up to when all that arrived is recorded. It is no fact, is
// not numbered, and only the latest counts: see Later.
type Heartbeat struct {
	Journal       string           `json:"journal"`
	At            time.Time        `json:"at"`
	RecordedUntil time.Time        `json:"recorded_until"` // what arrived before is recorded
	OpenIntents   int              `json:"open_intents"`
	Seqs          map[string]int64 `json:"seqs"` // the highest of each lane, by Lane.String
}

// Later reports whether b was sent after another heartbeat of its journal.
// Clocks go back; numbers do not, and every request that is settled takes one.
// So time decides only where nothing was numbered in between. The last
// heartbeat of an id that was given up, which has no numbers and nothing open,
// comes after all.
func (b Heartbeat) Later(than Heartbeat) bool {
	switch have, had := b.numbered(), than.numbered(); {
	case have == 0 && b.OpenIntents == 0:
		return true
	case have != had:
		return have > had
	default:
		return b.At.After(than.At)
	}
}

// numbered is how many facts the journal had numbered.
func (b Heartbeat) numbered() (n int64) {
	for _, seq := range b.Seqs {
		n += seq
	}
	return n
}
