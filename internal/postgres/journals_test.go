package postgres_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/storetest"
)

// Heartbeats come in any order, from clocks that go back and forth: the one
// that is kept is the latest, and what was announced once stays announced.
func TestTheLatestHeartbeatIsKept(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	r := rand.New(rand.NewPCG(5, 5))
	beat := func() event.Heartbeat {
		b := event.Heartbeat{Journal: "j", At: now.Add(time.Duration(r.IntN(5)-2) * time.Second), OpenIntents: r.IntN(3)}
		switch r.IntN(5) {
		case 0:
		case 1:
			b.Seqs = map[string]int64{}
		default:
			b.Seqs = map[string]int64{"completions/0": r.Int64N(4), "completions/1": r.Int64N(4)}
		}
		return b
	}
	var last event.Heartbeat
	open := -1
	for i := range 400 {
		b := beat()
		if i == 0 || b.Later(last) {
			open = b.OpenIntents
			seqs := map[string]int64{}
			for _, from := range []map[string]int64{last.Seqs, b.Seqs} {
				for lane, seq := range from {
					seqs[lane] = seq
				}
			}
			last, last.Seqs = b, seqs
		}
		if err := db.KeepHeartbeats(t.Context(), []event.Heartbeat{b}); err != nil {
			t.Fatal(err)
		}
		audit, err := db.Audit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if kept := audit.Heartbeats["j"]; kept.OpenIntents != open {
			t.Fatalf("after %+v it keeps %+v, not %+v", b, kept, last)
		}
		for lane, seq := range last.Seqs {
			if kept := audit.Heartbeats["j"]; kept.Seqs[lane] != seq {
				t.Fatalf("after %+v it keeps %+v, not %+v", b, kept, last)
			}
		}
	}
}
