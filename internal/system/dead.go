package system

import (
	"errors"
	"regexp"
	"time"
)

// ErrNoLetter says that there is no such dead letter, or no longer.
var ErrNoLetter = errors.New("there is no such dead letter")

// Dead is a dead letter: an event that could not be processed.
type Dead struct {
	ID      string    `json:"id"`     // among the dead letters
	At      time.Time `json:"at"`     // when it was put there
	Stream  string    `json:"stream"` // key of the stream that it came from
	Entry   *string   `json:"entry"`  // its id there; null: it was stored before it was refused
	Reason  string    `json:"reason"`
	Bytes   int64     `json:"bytes"`
	Preview string    `json:"preview"` // its beginning, what is no text left out
}

// DeadPage is some of the dead letters, the newest first.
type DeadPage struct {
	Letters    []Dead  `json:"dead_letters"`
	Count      int64   `json:"count"`       // in all
	NextCursor *string `json:"next_cursor"` // null: these were the last
}

// DeadBody is a dead letter with its original bytes: one of the two.
type DeadBody struct {
	Dead
	Body   *string `json:"body"`
	Base64 []byte  `json:"body_base64"` // where it is no text; null otherwise
}

var deadID = regexp.MustCompile(`^[0-9]{1,15}-[0-9]{1,15}$`)

// IsDeadID reports whether a text can be a dead letter's id.
func IsDeadID(id string) bool { return deadID.MatchString(id) }
