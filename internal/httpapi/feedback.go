package httpapi

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/event"
)

// Ledger keeps facts for good.
type Ledger interface {
	// Record keeps the fact, and gives it its place in the ledger.
	Record(f event.Fact) error
}

// errUnrecorded says that a verdict was not taken.
var errUnrecorded = errors.New("feedback cannot be recorded now: send it again")

// accepted is the answer of POST /feedback.
type accepted struct {
	ID         uuid.UUID `json:"id"`
	RequestID  uuid.UUID `json:"request_id"`
	FeedbackID string    `json:"feedback_id,omitempty"`
	Status     string    `json:"status"`
}

// feedback takes a verdict on an answer. Whether there is such an answer is
// found out later: it may not be stored yet.
func (a *API) feedback(c echo.Context) error {
	f, err := readFeedback(c)
	if err != nil {
		return err
	}
	if err := a.Ledger.Record(f); err != nil {
		return fmt.Errorf("%w: %w", errUnrecorded, err)
	}
	return c.JSON(http.StatusAccepted, accepted{ID: f.ID, RequestID: f.RequestID, FeedbackID: f.FeedbackID, Status: "accepted"})
}

func readFeedback(c echo.Context) (*event.FeedbackRecorded, error) {
	o, err := readObject(c.Request(), `{"request_id": "…", "rating": 5}`)
	if err != nil {
		return nil, err
	}
	caller := callerOf(c)
	f := event.NewFeedback(idOf(c))
	f.Project, f.KeyID = caller.Project, caller.KeyID
	f.RequestID = o.requestID("request_id")
	f.FeedbackID, f.Source = o.text("feedback_id", maxID), o.text("source", maxID)
	f.Comment = o.text("comment", event.MaxComment)
	readVerdict(o, f)
	o.finish()
	return f, o.faults.Err()
}

// readVerdict takes what is said of the answer, which must be something.
func readVerdict(o *object, f *event.FeedbackRecorded) {
	says := false
	for _, name := range []string{"rating", "correct", "score"} {
		_, given := o.peek(name)
		says = says || given
	}
	if !says {
		o.faults.Add(document.CodeMissing, "rating", "is missing (or send correct or score)")
	}
	f.Rating = o.whole("rating", event.RatingLow, event.RatingHigh, 0)
	if v, ok := o.take("correct"); ok {
		correct := o.faults.Boolean("correct", v)
		f.Correct = &correct
	}
	f.Score = o.number("score", 0, 1)
}

// requestID takes the id of a request, as busu gives them out.
func (o *object) requestID(name string) uuid.UUID {
	o.require(name)
	s, ok := o.str(name)
	if !ok {
		return uuid.Nil
	}
	const written = 36 // characters; there are other ways to write one, which are not ours
	id, err := uuid.Parse(s)
	if err != nil || len(s) != written || id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		o.fail(name, "is %q, must be the request_id of an answer (a UUIDv7)", document.Cut(s))
	}
	return id
}
