package app_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

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

// waiting counts what of the partitions from one on nobody has stored yet.
func (s *scaled) waiting(redis *redisdb.DB, from int) (entries int64) {
	s.t.Helper()
	streams, err := redis.Streams(s.t.Context(), manyPartitions, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, stream := range streams {
		if stream.Stream == event.Completions.String() && stream.Partition >= from {
			entries += stream.Unread + stream.Pending
		}
	}
	return entries
}

// rows counts the rows of the partitions from one on that were answered since.
func (s *scaled) rows(from int, since time.Time) (n int64) {
	s.t.Helper()
	if err := s.conn.QueryRow(s.t.Context(), "SELECT count(*) FROM completions WHERE partition >= $1 AND at > $2", from, since).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

const (
	manyPartitions = 4
	fewPartitions  = 2
)

// Fewer partitions, by the manual, when that is hardest: facts of those that go
// wait in their streams, which nobody reads at the moment, and in a journal
// that could not be shipped.
func TestPartitionsShrink(t *testing.T) {
	t.Parallel()
	database, redis := storetest.Postgres(t), storetest.RedisServer(t)
	s := &scaled{t: t, conn: connect(t, database)}
	state := map[string]string{"api": stateDir(t), "worker": stateDir(t), "aggregator": stateDir(t)}
	begin := func(name, streams string) *process {
		return start(t, nil, []string{"DATABASE_URL=" + database, "REDIS_URL=" + redis.URL, "BUSU_STATE_DIR=" + state[name],
			"BUSU_CONFIG=" + configFile(t, quick+streams)}, name)
	}
	s.env = func(int) []string { return []string{"DATABASE_URL=" + database, "REDIS_URL=" + redis.URL} }
	const before, after = "streams: {partitions: 4}\n", "streams: {partitions: 2, read_partitions: 4}\n"
	worker, aggregator := begin("worker", before), begin("aggregator", before)
	s.api = begin("api", before)
	s.begin()
	for p := range manyPartitions {
		s.flows(p)
	}
	worker.stop()
	aggregator.stop()
	inside := look(t, redis.URL)
	s.api.until("facts wait in the streams of partitions that go", func() bool { return s.waiting(inside, fewPartitions) > 0 })
	redis.Kill(t)
	killed, answered := time.Now(), s.answers.Load()
	s.api.until("facts wait in the journal", func() bool { return s.answers.Load() > answered+manyPartitions*10 })
	s.ask()
	s.asked.Wait()
	s.api.stop()
	redis.Restart(t)

	worker, aggregator = begin("worker", after), begin("aggregator", after)
	s.api = begin("api", after)
	fewer := time.Now()
	s.begin()
	for p := range fewPartitions {
		s.flows(p)
	}
	s.rest()
	if n := s.waiting(inside, fewPartitions); n > 0 {
		t.Errorf("%d facts are left in partitions that went", n)
	}
	if n := s.rows(fewPartitions, killed); n == 0 {
		t.Error("no fact of a partition that went waited in the journal: nothing was tested")
	}
	if n := s.rows(fewPartitions, fewer); n > 0 {
		t.Errorf("%d new facts are in partitions that went", n)
	}
	for _, p := range []*process{s.api, worker, aggregator} {
		p.stop()
	}
}

// look opens a Redis for a look inside.
func look(t *testing.T, url string) *redisdb.DB {
	t.Helper()
	db, err := redisdb.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
