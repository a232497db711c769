package app_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
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
	rate                    int // questions a second, loadRate unless set

	ask     context.CancelFunc
	asked   sync.WaitGroup
	client  *http.Client
	began   time.Time    // the load
	turn    atomic.Int64 // of the next question
	answers atomic.Int64

	mu      sync.Mutex
	slowest time.Duration // answer
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

const (
	loadRate    = 200 // requests a second: what two cores bear that others use, too
	loadCallers = 64  // ask at most at once
)

// begin asks the API from now on.
func (s *scaled) begin() {
	ctx, cancel := context.WithCancel(s.t.Context())
	s.ask = cancel
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: loadCallers}}
	s.began = time.Now()
	s.turn.Store(0)
	for range loadCallers {
		s.asked.Go(func() { s.load(ctx) })
	}
	s.t.Cleanup(s.asked.Wait)
	s.t.Cleanup(cancel)
}

// load asks until it is told to stop, each question when its time has come,
// however long others take. Every question is answered.
func (s *scaled) load(ctx context.Context) {
	rate, to := cmp.Or(s.rate, loadRate), s.front
	if to == "" {
		to = s.api.base
	}
	for {
		n := s.turn.Add(1) - 1
		due := s.began.Add(time.Duration(n) * time.Second / time.Duration(rate))
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(due)):
		}
		asked := time.Now()
		if err := s.question(to, n); err != nil {
			s.t.Errorf("question %d was not answered: %v", n, err)
			return
		}
		s.answers.Add(1)
		s.note(time.Since(asked))
	}
}

func (s *scaled) note(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slowest = max(s.slowest, took)
}

func (s *scaled) question(to string, n int64) error {
	body := fmt.Sprintf(`{"prompt": "question %d", "user_id": "user %d", "cache": "bypass"}`, n, n%40)
	r, err := s.client.Post(to+"/complete", "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s, %v", r.Status, err)
	}
	return nil
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
