package app_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/storetest"
)

var (
	scaleFor    = flag.Duration("scale-for", 500*time.Millisecond, "how long TestScaledOut asks each set-up")
	scaleRounds = flag.Int("scale-rounds", 1, "how often TestScaledOut asks each")
	scaleReport = flag.String("scale-report", "", "a page into which TestScaledOut writes what it saw, between its marks; it then holds the goal")
)

const (
	scaleBegin = "<!-- written by make bench-scale -->"
	scaleEnd   = "<!-- end of what make bench-scale writes -->"
	scaleGoal  = .8 // of what one of each does on the same cores

	scaleCallers    = 32
	scalePartitions = 6
)

// layout is a set-up: so many processes on stores.
type layout struct {
	name            string
	apis, workers   []*process
	aggregator      *process
	conn            *pgx.Conn
	env             []string
	answered, rates []float64 // per second, of each round: answered, and answered until all were stored
	total           int64
}

func startLayout(t *testing.T, name, redis string, apis, workers int) *layout {
	t.Helper()
	database := storetest.PostgresServer(t).URL
	config := configFile(t, quick+fmt.Sprintf("streams: {partitions: %d}\n", scalePartitions))
	env := func() []string {
		return []string{"DATABASE_URL=" + database, "REDIS_URL=" + redis, "BUSU_STATE_DIR=" + stateDir(t), "BUSU_CONFIG=" + config}
	}
	l := &layout{name: name, conn: connect(t, database), env: env()}
	for range workers {
		l.workers = append(l.workers, start(t, nil, env(), "worker"))
	}
	l.aggregator = start(t, nil, env(), "aggregator")
	for range apis {
		l.apis = append(l.apis, start(t, nil, env(), "api"))
	}
	return l
}

// measure asks without a pause, and then waits until all that was answered is
// stored.
func (l *layout) measure(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), *scaleFor)
	defer cancel()
	var asking sync.WaitGroup
	var answers atomic.Int64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: scaleCallers}}
	defer client.CloseIdleConnections()
	began := time.Now()
	for caller := range scaleCallers {
		asking.Go(func() {
			to := l.apis[caller%len(l.apis)].base + "/complete"
			for i := 0; ctx.Err() == nil; i++ {
				body := fmt.Sprintf(`{"prompt": "question %d of %d", "user_id": "user %d", "cache": "bypass"}`, i, caller, i*scaleCallers+caller)
				r, err := client.Post(to, "application/json", strings.NewReader(body))
				if err != nil || r.StatusCode != http.StatusOK {
					t.Errorf("%s: a question was not answered: %v, %+v", l.name, err, r)
					return
				}
				if _, err := io.Copy(io.Discard, r.Body); err != nil { // else the connection would not be used again
					t.Errorf("%s: an answer has no end: %v", l.name, err)
				}
				r.Body.Close()
				answers.Add(1)
			}
		})
	}
	asking.Wait()
	answered := time.Since(began)
	l.total += answers.Load()
	l.workers[0].until("all is stored", func() bool {
		var n int64
		err := l.conn.QueryRow(t.Context(), "SELECT count(*) FROM completions").Scan(&n)
		return err == nil && n >= l.total
	})
	l.answered = append(l.answered, float64(answers.Load())/answered.Seconds())
	l.rates = append(l.rates, float64(answers.Load())/time.Since(began).Seconds())
}

// end checks the books, and stops all processes.
func (l *layout) end(t *testing.T) {
	t.Helper()
	check := launch(t, nil, l.env, "busu", "reconcile", "--wait", "60s")
	if code := check.end(); code != 0 {
		t.Errorf("%s: the books do not agree: %s%s", l.name, check.stdout.String(), check.stderr.String())
	}
	for _, p := range slices.Concat(l.apis, l.workers, []*process{l.aggregator}) {
		p.stop()
	}
}

// Three API processes, two workers and a cluster of three do what one of each
// does on the same cores, less a fifth at most: spreading costs little. Asked
// for a moment only, as by make test, it holds that all is answered, stored and
// agrees; the figure is for a machine with nothing else to do.
func TestScaledOut(t *testing.T) {
	if *scaleReport == "" {
		t.Parallel()
	}
	one := startLayout(t, "one of each", storetest.RedisServer(t).URL, 1, 1)
	many := startLayout(t, "scaled out", storetest.RedisCluster(t, 3, false).URL, 3, 2)
	var ratios []float64
	for range *scaleRounds {
		for _, l := range []*layout{one, many} { // in turns
			l.measure(t)
		}
		ratios = append(ratios, many.rates[len(many.rates)-1]/one.rates[len(one.rates)-1])
	}
	for _, l := range []*layout{one, many} {
		l.end(t)
	}
	if *scaleReport == "" || t.Failed() {
		return
	}
	writeScaled(t, one, many, ratios)
	if ratio := median(ratios); ratio < scaleGoal {
		t.Errorf("scaled out, %.2f of what one of each does is answered and stored", ratio)
	}
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

func writeScaled(t *testing.T, one, many *layout, ratios []float64) {
	t.Helper()
	commit := command(t, ".", "git", "rev-parse", "--short=12", "HEAD")
	load, _ := os.ReadFile("/proc/loadavg") // not everywhere
	var s strings.Builder
	fmt.Fprintf(&s, `%s
On %d cores, which %d callers and all stores share; %d rounds of %s in turns, medians with the least and the most; commit %s, load at the end %s.

| | one of each, one Redis | 3 API, 2 workers, a cluster of 3 |
| --- | ---: | ---: |
| answered per second | %s | %s |
| answered and stored per second | %s | %s |

Scaled out ÷ one of each, answered and stored: **%.2f** (%.2f–%.2f), at least %.1f is the goal.
%s`, scaleBegin, runtime.NumCPU(), scaleCallers, *scaleRounds, *scaleFor, commit, strings.Join(strings.Fields(string(load))[:min(3, len(strings.Fields(string(load))))], " "),
		spreadOf(one.answered), spreadOf(many.answered), spreadOf(one.rates), spreadOf(many.rates),
		median(ratios), slices.Min(ratios), slices.Max(ratios), scaleGoal, scaleEnd)
	page, err := os.ReadFile(*scaleReport)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), scaleBegin)
	_, after, ends := strings.Cut(rest, scaleEnd)
	if !begins || !ends {
		t.Fatalf("%s has no marks %s and %s", *scaleReport, scaleBegin, scaleEnd)
	}
	if err := os.WriteFile(*scaleReport, []byte(before+s.String()+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func spreadOf(of []float64) string {
	return fmt.Sprintf("%.0f (%.0f–%.0f)", median(of), slices.Min(of), slices.Max(of))
}
