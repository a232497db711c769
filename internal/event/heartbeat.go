package event

import "time"

// Heartbeat is what a journal says of itself about once a second: how far it
// has numbered, and up to when all that arrived is recorded. It is no fact, is
// not numbered, and only the latest counts.
type Heartbeat struct {
	Journal       string           `json:"journal"`
	At            time.Time        `json:"at"`
	RecordedUntil time.Time        `json:"recorded_until"` // what arrived before is recorded
	OpenIntents   int              `json:"open_intents"`
	Seqs          map[string]int64 `json:"seqs"` // the highest of each lane, by Lane.String
}
