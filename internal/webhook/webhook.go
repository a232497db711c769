// Package webhook is what busu tells others by calling an address of theirs:
// what a message holds, how it is signed, where it may go, and when it is tried
// again. Nothing here sends anything.
//
// Messages are those of Standard Webhooks: a body with type, timestamp and data,
// under the headers webhook-id, webhook-timestamp and webhook-signature.
// Delivery is at least once. What is tried again, or was sent by a process that
// died before it could write that down, comes under the same id.
package webhook

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Message is one thing to tell, once it is decided that it is told.
type Message struct {
	ID      uuid.UUID // UUIDv7: webhook-id, the same at every attempt
	Project string
	Kind    string // such as experiment.decided
	Subject string // what it is about, such as an experiment's id; of one kind there is one message about it
	URL     string
	Body    []byte // JSON, byte for byte what is sent
}

// NewMessage writes the body. Its timestamp is when it happened, which is not
// when it is sent.
func NewMessage(id uuid.UUID, project, kind, subject, url string, at time.Time, data any) (Message, error) {
	body, err := json.Marshal(struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      any       `json:"data"`
	}{kind, at.UTC(), data})
	if err != nil {
		return Message{}, fmt.Errorf("write webhook %s: %w", kind, err)
	}
	return Message{ID: id, Project: project, Kind: kind, Subject: subject, URL: url, Body: body}, nil
}

// Claim is a message that one process may send now. The number says which
// attempt it is, from 1; nobody else has the same.
type Claim struct {
	Message
	Number int
}

// Attempt is what came of sending a message once.
type Attempt struct {
	Number int       `json:"number"`           // from 1; a missing one was cut off by the end of a process
	At     time.Time `json:"at"`               // when it began
	Status int       `json:"status,omitempty"` // of the answer; 0: there was none
	Error  string    `json:"error,omitempty"`  // what went wrong; "": it was delivered
	TookMS float64   `json:"took_ms"`

	RetryAfter time.Duration `json:"-"` // that the receiver asked for; 0: it did not
	CutOff     bool          `json:"-"` // by the end of this process: nobody is to blame
}

// State is how far a delivery has come.
type State string

// States of a delivery. The last two are final.
const (
	Waiting   State = "waiting"
	Delivered State = "delivered"
	Failed    State = "failed" // given up
)

// Delivery is a message with all that was tried, for people.
type Delivery struct {
	ID        uuid.UUID  `json:"id"` // webhook-id
	Kind      string     `json:"type"`
	URL       string     `json:"url"` // as Shown gives it
	State     State      `json:"state"`
	CreatedAt time.Time  `json:"created_at"`
	NextAt    *time.Time `json:"next_at"`  // of the next attempt; null when there is none
	EndedAt   *time.Time `json:"ended_at"` // null while it waits
	Attempts  []Attempt  `json:"attempts"` // in order
}
