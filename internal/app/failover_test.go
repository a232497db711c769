package app_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/storetest"
)

// scaled are the three processes on stores that fail over, under load.
type scaled struct {
	t                       *testing.T
	api, worker, aggregator *process
	front                   string // where to ask, when not the API itself
	conn                    *pgx.Conn
	env                     func(partitions int) []string

	ask     context.CancelFunc
	asked   sync.WaitGroup
	answers atomic.Int64
}

func startScaled(t *testing.T, redis string, partitions int) *scaled {
	t.Helper()
	database := storetest.Postgres(t)
	s := &scaled{t: t, conn: connect(t, database)}
	s.env = func(partitions int) []string {
		config := configFile(t, quick+fmt.Sprintf("streams: {partitions: %d}\n", partitions))
		return []string{"DATABASE_URL=" + database, "REDIS_URL=" + redis, "BUSU_STATE_DIR=" + stateDir(t), "BUSU_CONFIG=" + config}
	}
	s.worker = start(t, nil, s.env(partitions), "worker")
	s.aggregator = start(t, nil, s.env(partitions), "aggregator")
	s.api = start(t, nil, s.env(partitions), "api")
	s.begin()
	return s
}

// begin asks the API from now on.
func (s *scaled) begin() {
	ctx, cancel := context.WithCancel(s.t.Context())
	s.ask = cancel
	for caller := range 2 {
		s.asked.Go(func() { s.load(ctx, caller) })
	}
	s.t.Cleanup(s.asked.Wait)
	s.t.Cleanup(cancel)
}

// load asks until it is told to stop. Every question is answered.
func (s *scaled) load(ctx context.Context, caller int) {
	pace := time.NewTicker(4 * time.Millisecond) // 500 a second, of both
	defer pace.Stop()
	to := s.front
	if to == "" {
		to = s.api.base
	}
	for i := 0; ctx.Err() == nil; i++ {
		body := fmt.Sprintf(`{"prompt": "question %d of %d", "user_id": "user %d", "cache": "bypass"}`, i, caller, i%40)
		r, err := http.Post(to+"/complete", "application/json", strings.NewReader(body))
		if err != nil {
			s.t.Errorf("question %d was not answered: %v", i, err)
			return
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			s.t.Errorf("question %d was answered with %s", i, r.Status)
			return
		}
		s.answers.Add(1)
		<-pace.C
	}
}

// flows waits until facts of a partition that are answered from now on are in
// PostgreSQL, and tells how long that took.
func (s *scaled) flows(partition int) time.Duration {
	s.t.Helper()
	began := time.Now()
	s.api.until("facts flow", func() bool {
		var n int
		err := s.conn.QueryRow(s.t.Context(), "SELECT count(*) FROM completions WHERE partition = $1 AND at > $2", partition, began).Scan(&n)
		return err == nil && n > 0
	})
	return time.Since(began)
}

// rest stops the load, and checks that nothing is missing or came twice.
func (s *scaled) rest() {
	s.t.Helper()
	s.ask()
	s.asked.Wait()
	check := launch(s.t, nil, s.env(1), "busu", "reconcile", "--wait", "60s")
	if code := check.end(); code != 0 {
		s.t.Errorf("the books do not agree: %s%s", check.stdout.String(), check.stderr.String())
	}
	var rows int64
	if err := s.conn.QueryRow(s.t.Context(), "SELECT count(*) FROM completions").Scan(&rows); err != nil {
		s.t.Fatal(err)
	}
	if answers := s.answers.Load(); rows != answers || answers == 0 {
		s.t.Errorf("%d answers are %d rows", answers, rows)
	}
	s.t.Logf("%d answers", rows)
}

// A master is killed, its replica takes over; then the slot of a partition
// moves to another server. Facts flow all the time, and none is lost.
func TestClusterFailsOverAndMoves(t *testing.T) {
	t.Parallel()
	const partitions = 4
	cluster := storetest.RedisCluster(t, 3, true)
	s := startScaled(t, cluster.URL, partitions)
	for p := range partitions {
		s.flows(p)
	}
	victim := cluster.Holder(t, "busu:completions:{0}")
	victim.Kill(t)
	s.api.until("the replica has taken over", func() bool { return cluster.Holder(t, "busu:completions:{0}") != victim })
	t.Logf("facts flow %s after the failover", s.flows(0))

	victim.Restart(t)
	from, to := cluster.Holder(t, "busu:completions:{1}"), cluster.Holder(t, "busu:completions:{0}")
	if from == to {
		to = cluster.Holder(t, "busu:completions:{2}")
	}
	cluster.Move(t, "busu:completions:{1}", to, func() {
		before := s.answers.Load()
		s.api.until("answers come while keys move", func() bool { return s.answers.Load() > before+20 })
	})
	t.Logf("facts flow %s after the move", s.flows(1))
	s.rest()
}

// The same behind Sentinels.
func TestSentinelsFailOver(t *testing.T) {
	t.Parallel()
	sentinels := storetest.RedisSentinels(t)
	s := startScaled(t, sentinels.URL, 2)
	s.flows(0)
	victim := sentinels.Master(t)
	victim.Kill(t)
	s.api.until("the replica has taken over", func() bool { return sentinels.Master(t) != victim })
	t.Logf("facts flow %s after the failover", s.flows(0))
	victim.Restart(t)
	s.rest()
}

// More partitions, by the manual: workers and aggregators first, then the API.
func TestPartitionsGrow(t *testing.T) {
	t.Parallel()
	s := startScaled(t, storetest.Redis(t), 2)
	s.flows(1)
	s.worker.stop()
	s.aggregator.stop()
	worker := start(t, nil, s.env(4), "worker")
	aggregator := start(t, nil, s.env(4), "aggregator")
	s.flows(0)
	s.ask()
	s.asked.Wait()
	s.api.stop()
	s.api = start(t, nil, s.env(4), "api")
	s.begin()
	for p := range 4 {
		s.flows(p)
	}
	s.rest()
	for _, p := range []*process{s.api, worker, aggregator} {
		p.stop()
	}
}
