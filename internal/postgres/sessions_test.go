package postgres_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/session"
	"github.com/busuhq/busu/internal/storetest"
)

// TestSessions: whoever comes first makes the secret, for all; what is ended is
// known until it would have ended anyway.
func TestSessions(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	secret, ended, next, err := db.SessionsSince(t.Context(), time.Time{}, bytes.Repeat([]byte{1}, 32))
	if err != nil || !bytes.Equal(secret, bytes.Repeat([]byte{1}, 32)) || len(ended) > 0 || next.IsZero() {
		t.Fatalf("%v, %v, %v, %v", secret, ended, next, err)
	}
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	going, over := session.End{ID: uuid.Must(uuid.NewV7()), Until: until}, session.End{ID: uuid.Must(uuid.NewV7()), Until: time.Now().Add(-time.Second)}
	for _, e := range []session.End{over, going, going} {
		if err := db.EndSession(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for _, since := range []time.Time{{}, next} {
		secret, ended, _, err = db.SessionsSince(t.Context(), since, bytes.Repeat([]byte{2}, 32))
		if err != nil || secret[0] != 1 || len(ended) != 1 || ended[0].ID != going.ID || !ended[0].Until.Equal(until) {
			t.Errorf("%v, %v, %v", secret, ended, err)
		}
	}
	if _, ended, _, err = db.SessionsSince(t.Context(), time.Now().Add(time.Minute), nil); err != nil || len(ended) > 0 {
		t.Errorf("%v, %v", ended, err)
	}
}
