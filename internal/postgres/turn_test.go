package postgres_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/storetest"
)

// Of several verdicts on one answer the first teaches, whenever their request is
// stored, when each of them is looked at, and how many are taken at once.
func TestTheFirstVerdictTeaches(t *testing.T) {
	t.Parallel()
	const answers, rounds = 40, 6
	db := open(t, storetest.Postgres(t))
	r := rand.New(rand.NewPCG(61, 0))
	began := time.Now()
	hear(t, db, event.Heartbeat{Journal: "journal", At: began, RecordedUntil: began.Add(-time.Hour)}) // nothing is certain
	facts := routed(60, answers, time.Minute)
	stored := make([]int, answers) // in which round
	for i := range stored {
		stored[i] = r.IntN(rounds)
	}
	first := map[uuid.UUID]uuid.UUID{}
	at := later()
	for round := range rounds {
		var said []*event.FeedbackRecorded
		var come []*event.CompletionRecorded
		for i, f := range facts {
			if stored[i] == round {
				come = append(come, f)
			}
			for range r.IntN(4) {
				v := eventtest.Feedback(r, began.Add(time.Duration(len(said)+1000*round)*time.Millisecond), f.ID)
				said = append(said, v)
				if first[f.ID] == uuid.Nil {
					first[f.ID] = v.ID
				}
			}
		}
		eventtest.Number("journal", 1+1000*int64(round), said...)
		persistFeedback(t, db, said...)
		if _, err := db.Persist(t.Context(), come); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Duration(r.IntN(400)) * time.Millisecond)
		join(t, db, at, 1+r.IntN(30))
	}
	join(t, db, at.Add(time.Hour), 7)
	for _, f := range facts {
		shown, err := db.FeedbackOf(t.Context(), event.DefaultProject, f.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range shown {
			if want := map[bool]string{true: "learned", false: "kept"}[v.ID == first[f.ID]]; v.State != want {
				t.Errorf("of %d on %s, %s is %s, not %s", len(shown), f.ID, v.ID, v.State, want)
			}
		}
	}
	if got := len(lessons(t, db)); got != len(first) {
		t.Errorf("%d answers that were judged have %d lessons", len(first), got)
	}
}

// A verdict waits for an earlier one on the same answer, and for no other: not for
// that of another project, which is refused, nor for one that nobody gave.
func TestWhomAVerdictWaitsFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(earlier *event.FeedbackRecorded)
		nobody  bool
		becomes string
	}{
		"an earlier one":         {change: func(*event.FeedbackRecorded) {}, becomes: "waiting"},
		"of another project":     {change: func(f *event.FeedbackRecorded) { f.Project = "other" }, becomes: "learned"},
		"on another answer":      {change: func(f *event.FeedbackRecorded) { f.RequestID = uuid.Must(uuid.NewV7()) }, becomes: "learned"},
		"one that nobody gave":   {change: func(*event.FeedbackRecorded) {}, nobody: true, becomes: "learned"},
		"one that came later":    {change: func(f *event.FeedbackRecorded) { f.ID = uuid.Must(uuid.NewV7()) }, becomes: "learned"},
		"one that waits no more": {change: nil, becomes: "learned"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := storetest.Postgres(t)
			db, conn := open(t, url), connect(t, url)
			facts := routed(62, 1, time.Minute)
			if _, err := db.Persist(t.Context(), facts); err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(63, 0))
			earlier, one := eventtest.Feedback(r, now, facts[0].ID), eventtest.Feedback(r, now.Add(time.Minute), facts[0].ID)
			if c.change != nil {
				c.change(earlier)
			}
			eventtest.Number("journal", 1, earlier, one)
			persistFeedback(t, db, earlier, one)
			if _, err := conn.Exec(t.Context(), `UPDATE feedback SET next_try = $2, implicit = $3, state = $4 WHERE id = $1`,
				earlier.ID, later().Add(time.Minute), c.nobody, map[bool]string{true: "kept", false: "waiting"}[c.change == nil]); err != nil {
				t.Fatal(err)
			}
			join(t, db, later(), 10)
			var state string
			if err := conn.QueryRow(t.Context(), `SELECT state FROM feedback WHERE id = $1`, one.ID).Scan(&state); err != nil || state != c.becomes {
				t.Errorf("it is %s, not %s: %v", state, c.becomes, err)
			}
		})
	}
}
