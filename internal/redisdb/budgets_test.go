package redisdb_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/budgettest"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

const deskKey = "{busu:budgets}:desk"

// beginDesk makes a desk that has been there since a moment, and is not quiet.
func beginDesk(t *testing.T, plain redis.UniversalClient, born time.Time) {
	t.Helper()
	info, err := plain.Eval(t.Context(), "return redis.call('INFO', 'server')", []string{deskKey}).Text()
	if err != nil {
		t.Fatal(err)
	}
	run := regexp.MustCompile(`run_id:(\w+)`).FindStringSubmatch(info)
	if run == nil {
		t.Fatal("Redis has no run id")
	}
	if err := plain.HSet(t.Context(), deskKey, "born", born.UnixMilli(), "run", run[1], "quiet", 0).Err(); err != nil {
		t.Fatal(err)
	}
}

// today is an account of a key.
func today(name string, limit pricing.Nanos) budget.Budget {
	return budget.Budget{Scope: budget.Key, Name: name, Period: budget.Day, Limit: limit}
}

// drawn are reports and what is stored, drawn at random around a moment.
type drawn struct {
	*rand.Rand
	now time.Time
	seq map[string]int64
}

func (d drawn) report(process string, a budget.Account) budget.Report {
	d.seq[process] += 1 - d.Int64N(20)/19
	r := budget.Report{Account: a, Limit: 1000, Seq: d.seq[process], Holds: pricing.Nanos(d.IntN(200)),
		Wants: pricing.Nanos(d.IntN(400)), Needs: pricing.Nanos(d.IntN(60))}
	r.Wants = max(r.Wants, r.Needs)
	for minute := d.now.Unix()/60 - d.Int64N(4); minute <= d.now.Unix()/60; minute++ {
		if d.IntN(3) > 0 {
			r.Spent = append(r.Spent, budget.Spent{Minute: minute, Cost: pricing.Nanos(d.IntN(50))})
		}
	}
	return r
}

func (d drawn) stored(accounts []budget.Account, journals []string) *budget.Stored {
	if d.IntN(3) > 0 {
		return nil
	}
	s := &budget.Stored{AsOf: d.now.Add(time.Duration(d.IntN(5_000_000)) * time.Microsecond), Accounts: map[budget.Account]budget.Sums{}}
	if d.IntN(8) > 0 {
		s.Until = d.now.Add(time.Duration(d.IntN(1200)-240) * time.Second)
		s.Mark = s.Until.Truncate(time.Minute)
	}
	for _, a := range accounts {
		if d.IntN(5) > 0 {
			before := pricing.Nanos(d.IntN(300))
			s.Accounts[a] = budget.Sums{Before: before, All: before + pricing.Nanos(d.IntN(100))}
		}
	}
	for _, j := range journals {
		if d.IntN(4) > 0 {
			s.Journals = append(s.Journals, budget.Coverage{Journal: j, Until: d.now.Add(time.Duration(d.IntN(1200)-240) * time.Second), Closed: d.IntN(6) == 0})
		}
	}
	return s
}

// The script answers what the desk in memory answers, whatever it is told.
func TestTheScriptIsADesk(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			db, plain := open(t)
			clock := func() time.Time { return plain.Time(t.Context()).Val().Truncate(time.Millisecond) }
			d := drawn{rand.New(rand.NewPCG(seed, 5)), clock(), map[string]int64{}}
			born := d.now.Add(-48 * time.Hour) // before the period
			if seed%2 == 1 {
				born = d.now.Add(-time.Duration(d.IntN(200)) * time.Second)
			}
			beginDesk(t, plain, born)
			model := budgettest.NewDesk(clock)
			model.Begin(born)
			day := time.Unix(d.now.Unix()/86400*86400, 0)
			accounts := []budget.Account{today("one", 0).Account(day), today("two: of them", 0).Account(day)}
			starts := d.now.UnixMilli() - 1000
			processes := []string{fmt.Sprintf("a/%d", starts), fmt.Sprintf("a/%d", starts+1), fmt.Sprintf("b/%d", starts), fmt.Sprintf("c-c/%d", starts)}
			for step := range 150 {
				process := processes[d.IntN(len(processes))]
				var reports []budget.Report
				for _, a := range accounts[:1+d.IntN(2)] {
					reports = append(reports, d.report(process, a))
				}
				stored := d.stored(accounts, []string{"a", "b", "c-c", "z"})
				got, err := db.Sync(t.Context(), process, reports, stored)
				if err != nil {
					t.Fatal(err)
				}
				want, _ := model.Sync(t.Context(), process, reports, stored)
				if !reflect.DeepEqual(plainly(got), plainly(want)) {
					t.Fatalf("step %d, %s says %+v\nwith %+v\nthe script answers %+v\nthe model      %+v\n%v", step, process, reports, stored, plainly(got), plainly(want),
						plain.HGetAll(t.Context(), "{busu:budgets}:account:key:day:"+fmt.Sprint(accounts[0].Began)+":one").Val())
				}
			}
		})
	}
}

// plainly leaves out what hangs on the moment, and puts the rest in order.
func plainly(replies []budget.Reply) []budget.Reply {
	replies = slices.Clone(replies)
	for i := range replies {
		replies[i].Read = false
		slices.SortFunc(replies[i].Journals, cmp.Compare[string])
	}
	return replies
}

// onServer gives a desk on a server of its own, and a plain client.
func onServer(t *testing.T) (*redisdb.DB, *redis.Client, *storetest.Server) {
	t.Helper()
	server := storetest.RedisServer(t)
	db, err := redisdb.Open(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	o, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	plain := redis.NewClient(o)
	t.Cleanup(func() {
		if err := errors.Join(db.Close(), plain.Close()); err != nil {
			t.Error(err)
		}
	})
	return db, plain, server
}

// asks reports that a process holds nothing and wants something, until the
// reply has a state.
func asks(t *testing.T, db *redisdb.DB, seq *int64, want budget.State, stored func() *budget.Stored) (budget.Reply, time.Duration) {
	t.Helper()
	began := time.Now()
	for {
		*seq++
		r := budget.Report{Account: today("k", 0).Account(time.Now()), Limit: 1000, Seq: *seq, Wants: 10}
		replies, err := db.Sync(t.Context(), "j/1", []budget.Report{r}, stored())
		switch {
		case err != nil:
			t.Fatal(err)
		case replies[0].State == want:
			return replies[0], time.Since(began)
		case replies[0].Granted > 0 || time.Since(began) > 10*time.Second:
			t.Fatalf("after %s: %+v, want the state %d", time.Since(began), replies[0], want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// reads is what is stored of the day, up to some time before now.
func reads(before time.Duration, all pricing.Nanos) func() *budget.Stored {
	return func() *budget.Stored {
		now := time.Now()
		until := now.Add(-before)
		return &budget.Stored{AsOf: now, Until: until, Mark: until.Truncate(time.Minute),
			Accounts: map[budget.Account]budget.Sums{today("k", 0).Account(now): {Before: all, All: all}}}
	}
}

// A desk that comes back grants nothing until those who hold something have had
// the time to say so; then it goes on with what it knew.
func TestARestartedDeskWaits(t *testing.T) {
	t.Parallel()
	db, plain, server := onServer(t)
	if err := plain.ConfigSet(t.Context(), "appendfsync", "always").Err(); err != nil { // so that nothing is lost
		t.Fatal(err)
	}
	beginDesk(t, plain, time.Now().Add(-48*time.Hour))
	seq := int64(0)
	nothing := func() *budget.Stored { return nil }
	if r, _ := asks(t, db, &seq, budget.Blank, nothing); !r.Read {
		t.Error("nothing is known of what is stored, and nobody is to read it")
	}
	if r, _ := asks(t, db, &seq, budget.Open, reads(time.Second, 600)); r.Granted != 10 || r.Free != 390 {
		t.Errorf("of 1000, of which 600 are stored, is left: %+v", r)
	}
	server.Kill(t)
	server.Restart(t)
	asks(t, db, &seq, budget.Quiet, nothing)
	r, took := asks(t, db, &seq, budget.Open, nothing)
	if took < budget.QuietFor-500*time.Millisecond || r.Spent != 600 || r.Granted != 10 {
		t.Errorf("after %s a desk that was killed grants %+v", took, r)
	}
}

// A desk that has lost everything waits longer: until all that was spent before
// is stored.
func TestALostDeskWaitsForTheLedger(t *testing.T) {
	t.Parallel()
	db, plain, _ := onServer(t)
	beginDesk(t, plain, time.Now().Add(-48*time.Hour))
	seq := int64(0)
	asks(t, db, &seq, budget.Open, reads(0, 600))
	if err := plain.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	asks(t, db, &seq, budget.Quiet, reads(time.Minute, 600))
	asks(t, db, &seq, budget.Blank, reads(time.Minute, 600))
	if r, _ := asks(t, db, &seq, budget.Open, reads(0, 700)); r.Spent != 700 || r.Free != 290 {
		t.Errorf("after everything was lost: %+v", r)
	}
}

var _ budget.Desk = (*redisdb.DB)(nil)

// On the first of a month a day and a month begin together: they are two
// budgets, of which each has its own slices and its own order of reports.
func TestADayAndAMonthThatBeginTogether(t *testing.T) {
	t.Parallel()
	db, plain, _ := onServer(t)
	first := time.Date(2100, 1, 1, 0, 0, 5, 0, time.UTC)
	beginDesk(t, plain, first.Add(-48*time.Hour))
	day := today("k", 0).Account(first)
	month := day
	month.Period = budget.Month
	stored := &budget.Stored{AsOf: first, Until: first, Mark: first.Truncate(time.Minute), Accounts: map[budget.Account]budget.Sums{day: {}, month: {}}}
	replies, err := db.Sync(t.Context(), "j/1", []budget.Report{
		{Account: day, Limit: 100, Seq: 9, Wants: 40, Needs: 40},
		{Account: month, Limit: 1000, Seq: 1, Wants: 400, Needs: 400}}, stored)
	if err != nil || len(replies) != 2 || replies[0].Granted != 40 || replies[1].Granted != 400 || replies[1].State != budget.Open {
		t.Errorf("replies are %+v: %v", replies, err)
	}
}
