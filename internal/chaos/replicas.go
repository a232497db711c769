package chaos

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/localstack"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

// Kinds of Redis that a run can have.
const (
	StoresOne       = "one"       // server, which comes back by itself
	StoresCluster   = "cluster"   // of three masters with a replica each
	StoresSentinels = "sentinels" // three, which watch a master and its replica
)

// Replicated reports whether another Redis takes over when one is lost.
func (o Options) Replicated() bool { return o.Stores == StoresCluster || o.Stores == StoresSentinels }

// replicated is a Redis of several servers.
type replicated interface {
	// serving gives the server that has a key now.
	serving(ctx context.Context, key string) (*localstack.Server, error)
	// Healthy waits until every master has a replica that has what it has.
	Healthy(ctx context.Context) error
	Stop(ctx context.Context) error
	// Client is a plain one, of all of it.
	Client() redis.UniversalClient
}

type cluster struct{ *storetest.Cluster }

func (c cluster) serving(ctx context.Context, key string) (*localstack.Server, error) {
	node, err := c.HolderOf(ctx, key)
	if err != nil {
		return nil, err
	}
	return node.Process(), nil
}

type sentinels struct{ *storetest.Sentinels }

func (s sentinels) serving(ctx context.Context, _ string) (*localstack.Server, error) {
	node, err := s.MasterNow(ctx)
	if err != nil {
		return nil, err
	}
	return node.Process(), nil
}

const masters = 3

// startReplicated starts a Redis of several servers, and gives its address.
func startReplicated(ctx context.Context, o Options) (replicated, string, error) {
	writes := localstack.Options{Durable: true, AppendFsync: o.Fsync}
	if o.Stores == StoresCluster {
		c, err := storetest.StartCluster(ctx, masters, true, writes, os.Stderr)
		if err != nil {
			return nil, "", err
		}
		return cluster{c}, c.URL, nil
	}
	s, err := storetest.StartSentinels(ctx, writes, os.Stderr)
	if err != nil {
		return nil, "", err
	}
	return sentinels{s}, s.URL, nil
}

// flushAll empties every master.
func flushAll(ctx context.Context, raw redis.UniversalClient) error {
	if c, ok := raw.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error { return master.FlushAll(ctx).Err() })
	}
	return raw.FlushAll(ctx).Err()
}

// turns are the keys whose servers faults hit, one after the other: of every
// partition, and of what has a place of its own.
func turns() []string {
	keys := []string{"metrics:latest", "{busu:budgets}", "{busu:limits}"}
	for p := range partitions {
		keys = append(keys, redisdb.StreamKey(event.Lane{Stream: event.Completions, Partition: p}))
	}
	return keys
}

// takeover is what a fault lasts longer so that another server is sure to have
// taken over: a second until it is missed, and about one until that is agreed.
const takeover = 3 * time.Second

// master is, of a Redis of several servers, whoever serves when a fault comes.
// The fault is over when there is a replica for the next one: what has lost two
// servers at once has lost what was on both.
type master struct {
	of    replicated
	found *violations

	mu    sync.Mutex // for the time of a fault
	key   string     // whose server is hit
	hit   *localstack.Server
	turn  int // of the next fault
	taken int // times that another server took over
}

const serving = 20 * time.Second // is the longest wait for somebody who does

// victim finds whom the fault under way hits.
func (m *master) victim(ctx context.Context) *localstack.Server {
	if m.hit != nil {
		return m.hit
	}
	keys := turns()
	m.key = keys[m.turn%len(keys)]
	m.turn++
	ctx, cancel := context.WithTimeout(ctx, serving)
	defer cancel()
	server, err := m.of.serving(ctx, m.key)
	if err != nil {
		m.found.add("no redis to hit: %v", err)
		return nil
	}
	m.hit = server
	return server
}

func (m *master) Name() string { return "redis" }

func (m *master) kill() {
	if server := m.victim(context.Background()); server != nil {
		_ = server.Signal(syscall.SIGKILL) // it may be dead
	}
}

func (m *master) stop(ctx context.Context) error {
	if server := m.victim(ctx); server != nil {
		return server.Close(ctx)
	}
	return nil
}

func (m *master) signal(sig syscall.Signal) error {
	server := m.victim(context.Background())
	if server == nil {
		return nil
	}
	if err := server.Signal(sig); err != nil || sig != syscall.SIGCONT {
		return err
	}
	return m.mend(context.Background())
}

func (m *master) start(ctx context.Context) error {
	if m.hit == nil {
		return nil
	}
	if err := (&store{server: m.hit}).start(ctx); err != nil {
		return err
	}
	return m.mend(ctx)
}

// mend waits until all is as before, with parts exchanged.
func (m *master) mend(ctx context.Context) error {
	was := m.hit
	m.hit = nil
	if err := m.of.Healthy(ctx); err != nil {
		return fmt.Errorf("redis does not become whole again: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, serving)
	defer cancel()
	now, err := m.of.serving(ctx, m.key)
	if err == nil && now != was {
		m.taken++
	}
	return err
}

// othersTakeOver: it was not always the same server that came back.
func (e *engine) othersTakeOver(context.Context, []row) (Check, error) {
	m := e.master
	m.lock()
	defer m.unlock()
	return Check{"another Redis takes over", fmt.Sprintf("after %d of %d faults of a server", m.taken, m.turn), m.taken > 0}, nil
}

func (m *master) lock()   { m.mu.Lock() }
func (m *master) unlock() { m.mu.Unlock() }
