// Package redisdb is all that busu does with Redis: every key, script, stream
// and group is named here. Redis holds what is fast and can be made again; the
// journal and PostgreSQL hold what is true.
package redisdb

import (
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/busuhq/busu/internal/event"
)

// DB is a connection to one Redis, or to a cluster of them. It is safe for
// concurrent use.
type DB struct {
	rdb      redis.UniversalClient
	blocking redis.UniversalClient // reads that wait; apart, so that they cannot use up the pool
}

// Open makes a DB for a URL such as redis://127.0.0.1:6379/0, or for one of a
// cluster or of Sentinels. It does not connect: Redis may come later.
func Open(url string) (*DB, error) {
	rdb, err := newClient(url, pool{answers: 2 * time.Second})
	if err != nil {
		return nil, err
	}
	blocking, err := newClient(url, pool{answers: blockWithin, size: mostWaiting})
	if err != nil {
		return nil, errors.Join(err, rdb.Close())
	}
	return &DB{rdb: rdb, blocking: blocking}, nil
}

// mostWaiting bounds the reads that wait at once, far above the four readers
// that each of up to 256 partitions may have in a process: the workers of both
// streams, the aggregator and the tail. Connections are made as they are needed.
const mostWaiting = 2048

// Close gives up all connections.
func (db *DB) Close() error { return errors.Join(db.rdb.Close(), db.blocking.Close()) }

// Connections counts connections of both pools.
type Connections struct {
	Open, Busy int64
	Timeouts   int64 // waits for a free one that were given up
}

// Connections gives the pools' counters.
func (db *DB) Connections() Connections {
	var c Connections
	for _, client := range []redis.UniversalClient{db.rdb, db.blocking} {
		s := client.PoolStats()
		c.Open += int64(s.TotalConns)
		c.Busy += int64(s.TotalConns) - int64(s.IdleConns)
		c.Timeouts += int64(s.Timeouts)
	}
	return c
}

// Quiet turns off the client library's own log, which goes past ours and
// repeats what the returned errors say. It is for main to call, once.
func Quiet() { redis.SetLogger(&logging.VoidLogger{}) }

// ErrNone says that there is nothing under a key, or no longer.
var ErrNone = errors.New("redis has none")

// StreamKey is the public name of a lane's stream. All keys of a partition
// share its hash tag, so that one script or transaction can touch them.
func StreamKey(l event.Lane) string {
	if l.Stream == event.Decisions {
		return decisionsKey
	}
	return fmt.Sprintf("busu:%s:{%d}", l.Stream, l.Partition)
}

const (
	decisionsKey = "busu:decisions" // public; one partition, so that it has no hash tag
	deadKey      = "busu:dead"      // public
	persistGroup = "persist"        // public

	heartbeatsKey = "busu:heartbeats" // journal → heartbeat
)

// besideKey is a key that shares a stream's hash slot.
func besideKey(l event.Lane, what string) string {
	if l.Stream == event.Decisions {
		return "{" + decisionsKey + "}:" + what
	}
	return StreamKey(l) + ":" + what
}

// trimmedKey holds the id of the last entry that was removed.
func trimmedKey(l event.Lane) string { return besideKey(l, "trimmed") }

func aggregateKey(partition int, what string) string {
	return fmt.Sprintf("busu:aggregate:{%d}:%s", partition, what)
}

// latestKey is public for the default project. All that is published shares
// its hash tag, so that one script can set it.
func latestKey(project string) string {
	if project == event.DefaultProject {
		return "metrics:latest"
	}
	return "{metrics:latest}:of:" + project
}

func windowKey(project, window string) string {
	return fmt.Sprintf("{metrics:latest}:window:%s:%s", window, project)
}

const publisherKey = "{metrics:latest}:publisher" // a lease
