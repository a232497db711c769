package redisdb_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
)

// Dead letters of a user say no more whose they are, and can be replayed; those
// of others, and what nobody can read, stay as they were.
func TestForgetDead(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	r := rand.New(rand.NewPCG(1, 2))
	var refused []event.Refused
	bury := func(body []byte) {
		refused = append(refused, event.Refused{Entry: event.Entry{Lane: lane, Body: body}, Reason: "odd"})
	}
	for i := range 250 {
		c := eventtest.Completion(r, time.Now())
		c.Journal, c.Seq, c.UserID, c.SessionID, c.CallerID = "journal", int64(i+1), "other", "", ""
		if i%5 == 0 {
			c.UserID, c.SessionID, c.CallerID = "mark-user", "mark-session", "mark-call"
			c.Metadata, c.Features = map[string]string{"mark": "mark"}, []byte("mark")
		}
		if i == 5 {
			c.Project = "foreign"
		}
		body, err := event.Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		bury(body)
	}
	bury([]byte(`{"type": "completion.recorded", "user_id": "mark-user"`))
	if err := db.BuryStored(t.Context(), refused); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int64{49, 0} {
		if n, err := db.ForgetDead(t.Context(), event.DefaultProject, "mark-user"); err != nil || n != want {
			t.Fatalf("%d letters, %v, want %d", n, err, want)
		}
	}
	letters, err := db.DeadLetters(t.Context(), "", 1000)
	if err != nil || len(letters) != len(refused) {
		t.Fatalf("%d letters are left of %d: %v", len(letters), len(refused), err)
	}
	seqs := map[int64]bool{}
	for _, letter := range letters {
		fact, err := event.Decode([]byte(letter.Body))
		if err != nil {
			continue
		}
		c := fact.(*event.CompletionRecorded)
		if seqs[c.Seq] = true; c.Project == event.DefaultProject && strings.Contains(letter.Body, "mark") || letter.Reason != "odd" {
			t.Errorf("%+v", letter)
		}
	}
	if len(seqs) != 250 {
		t.Errorf("%d facts are left", len(seqs))
	}
	if kept := fmt.Sprint(plain.XRange(t.Context(), "busu:dead", "-", "+").Val()); strings.Count(kept, `"user_id":"mark-user"`) != 1 {
		t.Error("a letter of another project has changed")
	}
}
