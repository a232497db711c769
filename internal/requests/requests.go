// Package requests says what was recorded of requests in the words that people
// look at them with: what to look for, a page of what was found, and all there
// is of one.
package requests

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/pricing"
)

// ErrUnknown says that a project has no request of this id on record, now.
var ErrUnknown = errors.New("no such request is on record")

// Filter is what is looked for: a request must fit all that is given, and one
// of the values of a list.
type Filter struct {
	Users, Sessions, CallerIDs, KeyIDs          []string
	Models, Providers, Strategies, Confidences  []string
	Statuses, ErrorKinds, Caches                []string
	Experiments                                 []string
	Failed, Holdout, Degraded, Fallbacks        *bool
	MinCostNanos, MinSavingsNanos, MinLatencyUS int64     // 0: whatever
	From, To                                    time.Time // zero: whenever; To is not included
}

// Bounds of pages.
const (
	UsualLimit = 50
	MostLimit  = 500
)

// Query is what a page is asked for.
type Query struct {
	Filter
	Before Cursor // where the page before ended
	Limit  int
}

// Cursor is a place between two requests. Requests are in the order of their
// ids, which is that of their arrival; the zero Cursor is behind the newest.
type Cursor uuid.UUID

// String is opaque to callers.
func (c Cursor) String() string { return base64.RawURLEncoding.EncodeToString(c[:]) }

// ID is the id of the request before the cursor.
func (c Cursor) ID() uuid.UUID { return uuid.UUID(c) }

// IsZero reports whether it is behind the newest request.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// CursorAt is between what arrived before a time and what arrived since, to the
// millisecond.
func CursorAt(at time.Time) Cursor {
	var c Cursor
	binary.BigEndian.PutUint64(c[:], uint64(at.UnixMilli())<<16)
	c[6], c[8] = 0x70, 0x80 // the lowest UUIDv7
	return c
}

// ParseCursor reads what String wrote.
func ParseCursor(text string) (Cursor, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != len(Cursor{}) || uuid.UUID(b).Version() != 7 || uuid.UUID(b).Variant() != uuid.RFC4122 {
		return Cursor{}, errors.New("it is not one that was given out")
	}
	c := Cursor(b)
	if c.String() != text { // the decoder passes over line ends
		return Cursor{}, errors.New("it is not one that was given out")
	}
	return c, nil
}

// Page is a part of what was found, newest first.
type Page struct {
	Requests []Entry `json:"requests"`

	// Next is where to go on, null when there is no more. A page may be short,
	// or empty, and have one all the same: looking for what is rare ends after
	// a while, so that it can be shown how far it has come.
	Next *string `json:"next_cursor"`

	// SearchedTo is how far back was looked: all that is newer and fits is on
	// this page or those before. Null: to the end.
	SearchedTo *time.Time `json:"searched_to"`
}

// GoOn notes where the next page begins, and how far this one has looked.
func (p *Page) GoOn(c Cursor, searchedTo time.Time) {
	text := c.String()
	p.Next, p.SearchedTo = &text, &searchedTo
}

// Entry is a request in a list.
type Entry struct {
	ID              uuid.UUID     `json:"request_id"`
	At              time.Time     `json:"at"` // when it arrived
	UserID          *string       `json:"user_id"`
	SessionID       *string       `json:"session_id"`
	CallerID        *string       `json:"caller_id"`
	Strategy        string        `json:"strategy"`
	Confidence      *string       `json:"confidence"`
	PlannedModel    string        `json:"planned_model"`
	Provider        *string       `json:"provider"` // that served, or was tried last
	Model           *string       `json:"model"`
	Status          string        `json:"status"`
	ErrorKind       *string       `json:"error_kind"`
	FinishReason    *string       `json:"finish_reason"`
	Fallbacks       []string      `json:"fallbacks"`
	Degraded        []string      `json:"degraded"`
	Cache           string        `json:"cache"`
	Experiments     []event.Arm   `json:"experiments"`
	Holdout         bool          `json:"holdout"`
	TokensIn        int64         `json:"tokens_in"`
	TokensOut       int64         `json:"tokens_out"`
	CostUSD         pricing.Nanos `json:"cost_usd"`
	BaselineCostUSD pricing.Nanos `json:"baseline_cost_usd"`
	SavingsUSD      pricing.Nanos `json:"savings_usd"`
	Unpriced        bool          `json:"unpriced"`
	Estimated       bool          `json:"estimated"` // tokens and cost are estimates
	LatencyMS       float64       `json:"latency_ms"`
	TTFTMS          float64       `json:"ttft_ms"`
	OverheadMS      float64       `json:"overhead_ms"`
}
