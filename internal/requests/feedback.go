package requests

import (
	"time"

	"github.com/google/uuid"
)

// Feedback is one verdict on an answer, and what became of it.
type Feedback struct {
	ID         uuid.UUID `json:"id"`
	At         time.Time `json:"at"`
	FeedbackID *string   `json:"feedback_id"` // the caller's own
	Source     *string   `json:"source"`
	Comment    *string   `json:"comment"`
	Rating     *int      `json:"rating"`
	Correct    *bool     `json:"correct"`
	Score      *float64  `json:"score"`
	Quality    float64   `json:"quality"` // all of it on a scale from 0 to 1
	Bad        bool      `json:"bad"`
	State      string    `json:"state"` // waiting, learned, kept or refused
	Note       *string   `json:"note"`  // why it is only kept, or refused
}
