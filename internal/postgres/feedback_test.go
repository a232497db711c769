package postgres_test

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/requests"
	"github.com/busuhq/busu/internal/storetest"
)

// verdicts are on requests of their own.
func verdicts(seed uint64, n int) []*event.FeedbackRecorded {
	r := rand.New(rand.NewPCG(seed, 0))
	var fs []*event.FeedbackRecorded
	for range n {
		fs = append(fs, eventtest.Feedback(r, now.Add(-rand.N(time.Hour)), eventtest.ID(r, now.Add(-2*time.Hour))))
	}
	eventtest.Number("journal", 1, fs...)
	return fs
}

// persistFeedback stores verdicts and says how many were new.
func persistFeedback(t *testing.T, db *postgres.DB, fs ...*event.FeedbackRecorded) int {
	t.Helper()
	added, err := db.Feedback().Persist(t.Context(), fs)
	if err != nil {
		t.Fatal(err)
	}
	return len(added)
}

func TestFeedbackTwiceIsStoredOnce(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	fs := verdicts(1, 500)
	if n := persistFeedback(t, db, fs[:300]...); n != 300 {
		t.Errorf("stored %d of 300", n)
	}
	if n := persistFeedback(t, db, append(fs[200:], fs[400:]...)...); n != 200 { // some twice in one batch
		t.Errorf("stored %d of 200 more", n)
	}
	marks, err := db.Persisted(t.Context(), "journal")
	if got := marks[event.Lane{Stream: event.Feedback}]; err != nil || got.UpTo() != 500 {
		t.Errorf("marked are %s: %v", got, err)
	}
	ledger, err := db.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if lane := ledger.Lane("journal", "feedback/0"); lane.Rows != 500 || lane.Distinct != 500 || lane.Marked.Count() != 500 {
		t.Errorf("the audit says %+v", lane)
	}
}

// A second one with the caller's own id changes nothing; another project may
// use the same id.
func TestFeedbackWithTheSameCallersID(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	fs := verdicts(2, 4)
	for _, f := range fs {
		f.FeedbackID = "thumb 7"
	}
	fs[3].Project = "other"
	if n := persistFeedback(t, db, fs[0]); n != 1 {
		t.Errorf("stored %d", n)
	}
	if n := persistFeedback(t, db, fs...); n != 1 {
		t.Errorf("stored %d: the one of the other project is new", n)
	}
	marks, err := db.Persisted(t.Context(), "journal")
	if got := marks[event.Lane{Stream: event.Feedback}]; err != nil || got.UpTo() != 4 {
		t.Errorf("marked are %s, though nothing more will come of them: %v", got, err)
	}
}

// Every column, and what readers get, says what the fact said.
func TestFeedbackSaysWhatTheFactSays(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	for i, f := range verdicts(3, 40) {
		if i%2 == 0 {
			f.KeyID, f.FeedbackID = "key", "theirs "+f.ID.String()
		}
		persistFeedback(t, db, f)
		rows, err := conn.Query(t.Context(), `SELECT * FROM feedback WHERE id = $1`, f.ID)
		if err != nil {
			t.Fatal(err)
		}
		row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToMap)
		if err != nil {
			t.Fatal(err)
		}
		for column, want := range map[string]any{
			"project": f.Project, "request_id": [16]byte(f.RequestID), "key_id": orNull(f.KeyID), "feedback_id": orNull(f.FeedbackID),
			"source": orNull(f.Source), "comment": orNull(f.Comment), "quality": f.Quality(), "bad": f.Bad(),
			"journal": "journal", "partition": int32(0), "seq": f.Seq, "state": "waiting", "note": nil,
		} {
			if got := row[column]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s is %v, not %v", column, got, want)
			}
		}
		if at, ok := row["at"].(time.Time); !ok || !at.Equal(f.At) {
			t.Errorf("at is %v, not %v", row["at"], f.At)
		}
		shown, err := db.FeedbackOf(t.Context(), f.Project, f.RequestID)
		want := requests.Feedback{ID: f.ID, At: f.At, FeedbackID: given(f.FeedbackID), Source: given(f.Source), Comment: given(f.Comment),
			Rating: given(f.Rating), Correct: f.Correct, Score: f.Score, Quality: f.Quality(), Bad: f.Bad(), State: "waiting"}
		if err != nil || len(shown) != 1 || !reflect.DeepEqual(shown[0], want) {
			t.Errorf("shown is %+v, not %+v: %v", shown, want, err)
		}
		if shown, err := db.FeedbackOf(t.Context(), "other", f.RequestID); err != nil || len(shown) != 0 {
			t.Errorf("another project is shown %+v: %v", shown, err)
		}
	}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func TestUnstorableFeedback(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	fs := verdicts(4, 3)
	fs[1].Comment = "a \x00 byte"
	if _, err := db.Feedback().Persist(t.Context(), fs); !postgres.Unstorable(err) {
		t.Errorf("the error is %v", err)
	}
	if err := db.Feedback().Discard(t.Context(), fs[1]); err != nil {
		t.Fatal(err)
	}
	ledger, err := db.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if lane := ledger.Lane("journal", "feedback/0"); lane.Marked.Count() != 0 || lane.Buried.String() != "{[2,3)}" {
		t.Errorf("the audit says %+v", lane)
	}
}

// What was refused, and comes again out of the dead letters, is looked at
// again; all else that comes again changes nothing.
func TestFeedbackOutOfTheDeadLetters(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	fs := verdicts(5, 3)
	persistFeedback(t, db, fs...)
	for i, state := range []string{"refused", "learned", "kept"} {
		if _, err := conn.Exec(t.Context(), `UPDATE feedback SET state = $2, note = 'so' WHERE id = $1`, fs[i].ID, state); err != nil {
			t.Fatal(err)
		}
	}
	if n := persistFeedback(t, db, fs...); n != 0 {
		t.Errorf("%d are new", n)
	}
	var states []string
	for _, f := range fs {
		shown, err := db.FeedbackOf(t.Context(), f.Project, f.RequestID)
		if err != nil || len(shown) != 1 {
			t.Fatalf("%+v: %v", shown, err)
		}
		states = append(states, strings.TrimSpace(shown[0].State+" "+deref(shown[0].Note)))
	}
	if want := []string{"waiting", "learned so", "kept so"}; !reflect.DeepEqual(states, want) {
		t.Errorf("they are %q", states)
	}
}

// Two on one request are shown in the order in which they came.
func TestFeedbackOfARequest(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	fs := verdicts(6, 20)
	for _, f := range fs {
		f.RequestID = fs[0].RequestID
	}
	persistFeedback(t, db, fs...)
	shown, err := db.FeedbackOf(t.Context(), event.DefaultProject, fs[0].RequestID)
	if err != nil || len(shown) != 20 {
		t.Fatalf("%d are shown: %v", len(shown), err)
	}
	for i := 1; i < len(shown); i++ {
		if strings.Compare(shown[i-1].ID.String(), shown[i].ID.String()) >= 0 || shown[i].At.Before(shown[i-1].At) {
			t.Errorf("%s comes behind %s", shown[i].ID, shown[i-1].ID)
		}
	}
	if shown, err := db.FeedbackOf(t.Context(), event.DefaultProject, uuid.New()); err != nil || len(shown) != 0 {
		t.Errorf("there are %+v: %v", shown, err)
	}
}

// given is nil for what was not given.
func given[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
