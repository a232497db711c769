package event

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// FeedbackRecorded is the fact of a verdict on an answer. It says at least one
// of rating, correct and score. That the request exists, and is of the same
// project, is checked when it is joined to it.
type FeedbackRecorded struct {
	Header

	Project    string    `json:"project"`
	KeyID      string    `json:"key_id,omitempty"`
	RequestID  uuid.UUID `json:"request_id"`            // the answer that is judged
	FeedbackID string    `json:"feedback_id,omitempty"` // the caller's own: a second one with the same id changes nothing
	Source     string    `json:"source,omitempty"`      // who judged, in the caller's words
	Comment    string    `json:"comment,omitempty"`

	Rating  int      `json:"rating,omitempty"`  // 1 … 5
	Correct *bool    `json:"correct,omitempty"` //
	Score   *float64 `json:"score,omitempty"`   // 0 … 1
}

// NewFeedback begins the fact of feedback that arrived as id.
func NewFeedback(id uuid.UUID) *FeedbackRecorded {
	return &FeedbackRecorded{Header: Header{V: Version, Type: TypeFeedbackRecorded, ID: id, At: TimeOf(id)}}
}

// FeedbackByJudge begins the feedback_id of a verdict that a judge gave in the
// background. It says nothing of what callers got who were not judged so.
const FeedbackByJudge = "judge/"

// Stream is Feedback.
func (f *FeedbackRecorded) Stream() Stream { return Feedback }

// Key is the request: what is said of one answer stays in order.
func (f *FeedbackRecorded) Key() string { return f.RequestID.String() }

// Ratings are from worst to best.
const (
	RatingLow  = 1
	RatingHigh = 5
)

// badRating and badScore are where an answer begins to be called bad.
const (
	badRating = 2   // or less
	badScore  = 0.5 // less than this
)

// Bad reports whether any of what was said calls the answer bad.
func (f *FeedbackRecorded) Bad() bool {
	return f.Rating != 0 && f.Rating <= badRating || f.Correct != nil && !*f.Correct || f.Score != nil && *f.Score < badScore
}

// Quality is what was said of the answer, on a scale from 0 to 1: the most
// exact of what there is.
func (f *FeedbackRecorded) Quality() float64 {
	switch {
	case f.Score != nil:
		return *f.Score
	case f.Rating != 0:
		return float64(f.Rating-RatingLow) / (RatingHigh - RatingLow)
	case f.Correct != nil && *f.Correct:
		return 1
	default:
		return 0
	}
}

// MaxComment bounds a comment, in bytes.
const MaxComment = 4 << 10

// Validate says whether the fact can be stored and learned from.
func (f *FeedbackRecorded) Validate() error {
	if err := f.validate(TypeFeedbackRecorded); err != nil {
		return err
	}
	switch {
	case f.Project == "":
		return errors.New("project is missing")
	case f.RequestID.Version() != 7 || f.RequestID.Variant() != uuid.RFC4122:
		return fmt.Errorf("request_id %s is not a UUIDv7", f.RequestID)
	case f.Rating == 0 && f.Correct == nil && f.Score == nil:
		return errors.New("it says nothing: rating, correct and score are missing")
	case f.Rating != 0 && (f.Rating < RatingLow || f.Rating > RatingHigh):
		return fmt.Errorf("rating %d is not within %d and %d", f.Rating, RatingLow, RatingHigh)
	case f.Score != nil && !isShare(*f.Score):
		return fmt.Errorf("score %g is not within 0 and 1", *f.Score)
	case len(f.Comment) > MaxComment:
		return fmt.Errorf("comment takes %d bytes, more than %d", len(f.Comment), MaxComment)
	}
	if n := max(len(f.Journal), len(f.Project), len(f.FeedbackID), len(f.Source)); n > maxKey {
		return fmt.Errorf("journal, project, feedback_id or source is longer than %d bytes: %d", maxKey, n)
	}
	return storable(f.Journal, f.Project, f.KeyID, f.FeedbackID, f.Source, f.Comment)
}

// storable refuses texts that PostgreSQL cannot store.
func storable(texts ...string) error {
	for _, s := range texts {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return errors.New("a text holds a NUL byte or invalid UTF-8")
		}
	}
	return nil
}
