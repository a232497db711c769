package redisdb_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/busuhq/busu/internal/redisdb"
)

func TestResultsAreKept(t *testing.T) {
	t.Parallel()
	real, _ := open(t)
	server := miniredis.RunT(t)
	embedded, err := redisdb.Open("redis://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { embedded.Close() })
	for name, db := range map[string]*redisdb.DB{"a server": real, "in the process": embedded} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			see := func(project string) redisdb.Kept {
				t.Helper()
				k, err := db.KeptResults(t.Context(), project, "e")
				if err != nil {
					t.Fatal(err)
				}
				return k
			}
			keep := func(mark int64, body string) {
				t.Helper()
				if err := db.KeepResults(t.Context(), "p", "e", mark, []byte(body)); err != nil {
					t.Fatal(err)
				}
			}
			first := see("p")
			if first.Body != nil || first.Mark == 0 {
				t.Errorf("at first there is %+v", first)
			}
			keep(first.Mark, "one")
			keep(first.Mark-1, "an old one")
			if k := see("p"); string(k.Body) != "one" || k.Age != time.Duration(k.Mark-first.Mark)*time.Millisecond || k.Age < 0 || k.Age > time.Minute {
				t.Errorf("kept is %q, %s old", k.Body, k.Age)
			}
			if k := see("another"); k.Body != nil {
				t.Errorf("another project sees %q", k.Body)
			}
			keep(first.Mark-5000+6000, "two")
			if k := see("p"); string(k.Body) != "two" {
				t.Errorf("kept is %q", k.Body)
			}
			// Whoever began to read before is refused now.
			reading := see("p")
			if err := db.OutdateResults(t.Context(), "p", "e"); err != nil {
				t.Fatal(err)
			}
			keep(reading.Mark, "from before")
			if k := see("p"); k.Body != nil {
				t.Errorf("kept is %q", k.Body)
			}
			keep(reading.Mark+60_000, "from after")
			if k := see("p"); string(k.Body) != "from after" {
				t.Errorf("kept is %q", k.Body)
			}
		})
	}
}

func TestResultsThatNobodyReadsGo(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if err := db.KeepResults(t.Context(), "p", "e", 1, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := db.OutdateResults(t.Context(), "p", "other"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"e", "other"} {
		if left, err := plain.PTTL(t.Context(), "busu:experiment:{p/"+id+"}:results").Result(); err != nil || left <= 0 || left > time.Hour {
			t.Errorf("they go after %s: %v", left, err)
		}
	}
}
