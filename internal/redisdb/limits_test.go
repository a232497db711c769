package redisdb_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/limit"
	"github.com/busuhq/busu/internal/limittest"
	"github.com/busuhq/busu/internal/redisdb"
)

// drawLimit draws a report of a limit: what processes hold is what they
// were given, or any lie.
func drawLimit(d *rand.Rand, b limit.Bucket, seq int64, held limit.Reply) limit.Report {
	if b.Kind == limit.Concurrency {
		return drawConcurrency(d, b, seq, held)
	}
	r := limit.Report{Bucket: b, Most: 600, Seq: seq, Share: held.Keep, Level: held.Level * d.Float64()}
	switch d.IntN(6) {
	case 0:
		r.Share = d.Float64()
	case 1:
		r.Gives = d.Float64()*200 - 50
	case 2:
		return limit.Report{Bucket: b, Most: 600, Seq: seq, Gives: d.Float64() * 20}
	}
	if d.IntN(4) > 0 {
		r.Demand = d.Float64() * 50
	}
	if d.IntN(3) == 0 {
		r.Needs = d.Float64() * 100
	}
	return r
}

func drawConcurrency(d *rand.Rand, b limit.Bucket, seq int64, held limit.Reply) limit.Report {
	r := limit.Report{Bucket: b, Most: 10, Seq: seq, Share: max(held.Keep, 0), Demand: float64(d.IntN(14))}
	switch d.IntN(5) {
	case 0:
		r.Share = float64(d.IntN(8))
	case 1:
		return limit.Report{Bucket: b, Most: 10, Seq: seq}
	case 2:
		r.Needs = float64(1 + d.IntN(4))
	}
	r.Level = math.Floor(r.Share * d.Float64())
	return r
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

// The script answers what the desk in memory answers, whatever it is told, also
// of processes that are silent.
func TestTheScriptSharesLimits(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			db, plain := open(t)
			d := rand.New(rand.NewPCG(seed, 1))
			now := time.UnixMilli(1_700_000_000_000)
			model := limittest.NewDesk(func() time.Time { return now })
			buckets := []limit.Bucket{{Key: "a", Kind: limit.Requests}, {Key: "a", Kind: limit.Tokens}, {Key: "a", Kind: limit.Concurrency}, {Key: "a", User: "u", Kind: limit.Concurrency}}
			grown(t, db, plain)
			seq, held := map[string]int64{}, map[string]limit.Reply{}
			for step := range 150 {
				process := fmt.Sprintf("p%d", d.IntN(4))
				seq[process] += 1 - d.Int64N(8)/7
				var reports []limit.Report
				for _, b := range buckets {
					reports = append(reports, drawLimit(d, b, seq[process], held[process+b.User+string(b.Kind)]))
				}
				// The server's clock is read for both, so that they agree on it.
				before := plain.Time(t.Context()).Val().UnixMilli()
				got, err := db.Share(t.Context(), process, reports)
				if err != nil {
					t.Fatal(err)
				}
				at := plain.HGet(t.Context(), "{busu:limits}:requests:a", "at").Val()
				var ms int64
				if _, err := fmt.Sscan(at, &ms); err != nil || ms < before {
					t.Fatalf("at is %q, after %d", at, before)
				}
				now = time.UnixMilli(ms)
				want, _ := model.Share(t.Context(), process, reports)
				if got.Processes != want.Processes || got.Settled != want.Settled {
					t.Fatalf("step %d: the script counts %d processes (%t), not %d (%t)", step, got.Processes, got.Settled, want.Processes, want.Settled)
				}
				for i := range want.Replies {
					g, w := got.Replies[i], want.Replies[i]
					if g.Late != w.Late || g.Young != w.Young || !w.Late && (!near(g.Share, w.Share) || !near(g.Level, w.Level) || !near(g.Keep, w.Keep) || !near(g.Pool, w.Pool) || !near(g.Others, w.Others)) {
						t.Fatalf("step %d: to %+v the script says %+v, not %+v", step, reports[i], g, w)
					}
					held[process+buckets[i].User+string(buckets[i].Kind)] = g
				}
				if d.IntN(10) == 0 { // somebody was silent for long: let the past be older than it is
					shift := d.Int64N(6000)
					for _, key := range []string{"desk", "requests:a", "tokens:a", "concurrency:a", "concurrency:a:u"} {
						age(t, plain, "{busu:limits}:"+key, shift)
					}
					model.Age(time.Duration(shift) * time.Millisecond)
				}
			}
		})
	}
}

// grown makes a desk one that has been there for long.
func grown(t *testing.T, db *redisdb.DB, plain redis.UniversalClient) {
	t.Helper()
	if a, err := db.Share(t.Context(), "nobody", nil); err != nil || a.Settled {
		t.Fatalf("a new desk says %+v, %v", a, err)
	}
	if err := plain.HSet(t.Context(), "{busu:limits}:desk", "young", 0, "last", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := plain.HDel(t.Context(), "{busu:limits}:desk", "c:nobody", "t:nobody").Err(); err != nil {
		t.Fatal(err)
	}
}

// A desk that is new, was started again or emptied grants no concurrency until
// it has heard who holds what.
func TestAYoungDeskLendsNothing(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	ask := func(seq int64) limit.Reply {
		a, err := db.Share(t.Context(), "p", []limit.Report{{Bucket: limit.Bucket{Key: "a", Kind: limit.Concurrency}, Most: 4, Seq: seq, Demand: 1, Needs: 1}})
		if err != nil {
			t.Fatal(err)
		}
		return a.Replies[0]
	}
	if r := ask(1); !r.Young || r.Share != 0 {
		t.Errorf("a new one says %+v", r)
	}
	grown(t, db, plain)
	if r := ask(2); r.Young || r.Share != 1 {
		t.Errorf("later it says %+v", r)
	}
	plain.HSet(t.Context(), "{busu:limits}:desk", "run", "of another server")
	if r := ask(3); !r.Young || r.Share != 0 {
		t.Errorf("after a restart it says %+v", r)
	}
}

// Keys that nobody asks for go.
func TestLimitsAreForgotten(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if _, err := db.Share(t.Context(), "p", []limit.Report{{Bucket: limit.Bucket{Key: "a", Kind: limit.Tokens}, Most: 5, Seq: 1, Demand: 1}}); err != nil {
		t.Fatal(err)
	}
	if left := plain.PTTL(t.Context(), "{busu:limits}:tokens:a").Val(); left <= limit.Remember-time.Minute || left > limit.Remember {
		t.Errorf("it is kept for %s", left)
	}
}

// age makes all that a limit was told older, by so many milliseconds.
func age(t *testing.T, plain redis.UniversalClient, key string, by int64) {
	t.Helper()
	for field, text := range plain.HGetAll(t.Context(), key).Val() {
		if field != "at" && field != "last" && field != "since" && !strings.HasPrefix(field, "t:") && !strings.HasPrefix(field, "c:") {
			continue
		}
		var ms int64
		if _, err := fmt.Sscan(text, &ms); err != nil {
			t.Fatal(err)
		}
		if err := plain.HSet(t.Context(), key, field, ms-by).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
