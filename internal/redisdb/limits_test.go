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
)

// drawLimit draws a report of a limit: what processes hold is what they
// were given, or any lie.
func drawLimit(d *rand.Rand, b limit.Bucket, seq int64, held limit.Reply) limit.Report {
	r := limit.Report{Bucket: b, PerMinute: 600, Seq: seq, Share: held.Keep, Level: held.Level * d.Float64()}
	switch d.IntN(6) {
	case 0:
		r.Share = d.Float64()
	case 1:
		r.Gives = d.Float64()*200 - 50
	case 2:
		return limit.Report{Bucket: b, PerMinute: 600, Seq: seq, Gives: d.Float64() * 20}
	}
	if d.IntN(4) > 0 {
		r.Demand = d.Float64() * 50
	}
	if d.IntN(3) == 0 {
		r.Needs = d.Float64() * 100
	}
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
			buckets := []limit.Bucket{{Key: "a", Kind: limit.Requests}, {Key: "a", Kind: limit.Tokens}}
			seq, held := map[string]int64{}, map[string]limit.Reply{}
			for step := range 150 {
				process := fmt.Sprintf("p%d", d.IntN(4))
				seq[process] += 1 - d.Int64N(8)/7
				var reports []limit.Report
				for _, b := range buckets {
					reports = append(reports, drawLimit(d, b, seq[process], held[process+string(b.Kind)]))
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
				for i := range want {
					g, w := got[i], want[i]
					if g.Late != w.Late || !w.Late && (!near(g.Share, w.Share) || !near(g.Level, w.Level) || !near(g.Keep, w.Keep) || !near(g.Pool, w.Pool) || !near(g.Others, w.Others)) {
						t.Fatalf("step %d: to %+v the script says %+v, not %+v", step, reports[i], g, w)
					}
					held[process+string(buckets[i].Kind)] = g
				}
				if d.IntN(10) == 0 { // somebody was silent for long: let the past be older than it is
					shift := d.Int64N(6000)
					for _, b := range buckets {
						age(t, plain, "{busu:limits}:"+string(b.Kind)+":a", shift)
					}
					model.Age(time.Duration(shift) * time.Millisecond)
				}
			}
		})
	}
}

// Keys that nobody asks for go.
func TestLimitsAreForgotten(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if _, err := db.Share(t.Context(), "p", []limit.Report{{Bucket: limit.Bucket{Key: "a", Kind: limit.Tokens}, PerMinute: 5, Seq: 1, Demand: 1}}); err != nil {
		t.Fatal(err)
	}
	if left := plain.PTTL(t.Context(), "{busu:limits}:tokens:a").Val(); left <= limit.Remember-time.Minute || left > limit.Remember {
		t.Errorf("it is kept for %s", left)
	}
}

// age makes all that a limit was told older, by so many milliseconds.
func age(t *testing.T, plain *redis.Client, key string, by int64) {
	t.Helper()
	for field, text := range plain.HGetAll(t.Context(), key).Val() {
		if field != "at" && !strings.HasPrefix(field, "t:") {
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
