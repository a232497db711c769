package redisdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// pool is in what connections to a server differ.
type pool struct {
	answers time.Duration // the longest wait for one
	size    int           // most connections to a server; 0: the library's
}

const (
	connectWithin = time.Second
	writeWithin   = 2 * time.Second

	// mostRedirects is how often a command of a cluster is sent on: the slot of
	// its key has moved, or is on its way.
	mostRedirects = 4
	// lookAgain is when to ask anew who has which slot, without any sign that
	// it has changed.
	lookAgain = 10 * time.Second
)

// newClient connects to what a URL names. No client repeats a command that may
// have been carried out: a repeated pipeline would append twice. Callers repeat
// on purpose.
func newClient(raw string, p pool) (redis.UniversalClient, error) {
	a, err := parseAddress(raw)
	if err != nil {
		return nil, hidden(err)
	}
	switch a.kind {
	case cluster:
		o, err := a.cluster()
		if err != nil {
			return nil, hidden(err)
		}
		return newCluster(o, p), nil
	case sentinel:
		o, err := a.sentinel()
		if err != nil {
			return nil, hidden(err)
		}
		p.set(&o.MaxRetries, &o.PoolSize, &o.ContextTimeoutEnabled, &o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
		return redis.NewFailoverClient(o), nil
	default:
		o, err := a.single()
		if err != nil {
			return nil, hidden(err)
		}
		p.set(&o.MaxRetries, &o.PoolSize, &o.ContextTimeoutEnabled, &o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
		o.MaintNotificationsConfig = unannounced()
		return redis.NewClient(o), nil
	}
}

// set is what all three kinds of options have in common.
func (p pool) set(retries, size *int, byContext *bool, dial, read, write *time.Duration) {
	*retries, *byContext = -1, true
	*dial, *read, *write = connectWithin, p.answers, writeWithin
	if p.size > 0 {
		*size = p.size
	}
}

// unannounced does without the announcements of maintenance that Redis
// Enterprise makes: callers repeat what a connection that ends was to do. The
// library's readiness for them costs 1.7 MB, and every new connection a round
// trip.
func unannounced() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

func newCluster(o *redis.ClusterOptions, p pool) *redis.ClusterClient {
	p.set(&o.MaxRetries, &o.PoolSize, &o.ContextTimeoutEnabled, &o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
	o.DialerRetries = 1 // a node that is gone has a successor: look for that instead
	o.MaxRedirects, o.ClusterStateReloadInterval = mostRedirects, lookAgain
	o.MaintNotificationsConfig = unannounced()
	o.DisableRoutingPolicies = true // what concerns all servers, each is asked for
	c := redis.NewClusterClient(o)
	c.OnNewNode(func(node *redis.Client) {
		node.AddHook(nodeHook{moved: func() { c.ReloadState(context.Background()) }})
	})
	return c
}

// nodeHook watches what comes back from a node of a cluster. A node that does
// not answer, or not for its slots, may have a successor by now.
type nodeHook struct{ moved func() }

// DialHook implements redis.Hook.
func (nodeHook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (h nodeHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		h.look(err)
		if isUnsure(err) {
			return unsure{err}
		}
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (h nodeHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		h.look(err)
		return err
	}
}

func (h nodeHook) look(err error) {
	if err != nil && (!isReply(err) || redis.IsClusterDownError(err) || redis.IsReadOnlyError(err) || redis.IsMasterDownError(err)) {
		h.moved()
	}
}

// isReply reports whether an error is what Redis answered.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// isUnsure reports whether a command may have been carried out, although its
// answer did not come.
func isUnsure(err error) bool {
	if err == nil || isReply(err) || errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrClosed) {
		return false
	}
	var connecting *net.OpError
	return !errors.As(err, &connecting) || connecting.Op != "dial"
}

// unsure keeps from the client library what it would repeat a command for.
type unsure struct{ err error }

func (u unsure) Error() string { return u.err.Error() }

// Is lets callers find that their time was over.
func (u unsure) Is(target error) bool {
	return (target == context.Canceled || target == context.DeadlineExceeded) && errors.Is(u.err, target)
}

// each asks every server that holds keys, all at once.
func (db *DB) each(ctx context.Context, ask func(context.Context, *redis.Client) error) error {
	switch c := db.rdb.(type) {
	case *redis.ClusterClient:
		return c.ForEachMaster(ctx, ask)
	case *redis.Client:
		return ask(ctx, c)
	}
	return fmt.Errorf("a client of type %T", db.rdb)
}

// holder is the server that holds a key.
func (db *DB) holder(ctx context.Context, key string) (*redis.Client, error) {
	switch c := db.rdb.(type) {
	case *redis.ClusterClient:
		return c.MasterForKey(ctx, key)
	case *redis.Client:
		return c, nil
	}
	return nil, fmt.Errorf("a client of type %T", db.rdb)
}

// spread reports whether keys are on different servers, so that no step can
// touch any two of them.
func (db *DB) spread() bool {
	_, ok := db.rdb.(*redis.ClusterClient)
	return ok
}

// Check reports why Redis cannot be used, or nil. Of a cluster, every part has
// to be there.
func (db *DB) Check(ctx context.Context) error {
	if !db.spread() {
		return explained(db.rdb.Ping(ctx).Err())
	}
	return db.each(ctx, func(ctx context.Context, node *redis.Client) error {
		info, err := node.ClusterInfo(ctx).Result()
		if err == nil && !strings.Contains(info, "cluster_state:ok") {
			err = errors.New("it says that the cluster is down: some slots have no server")
		}
		if err != nil {
			return fmt.Errorf("node %s of the redis cluster: %w", node.Options().Addr, explained(err))
		}
		return nil
	})
}
