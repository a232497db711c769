package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/localstack"
)

// clusterPassword is that of all servers of a cluster, and of Sentinels and
// what they watch: they know each other by it.
const clusterPassword = "storetest"

const slots = 16384

// Cluster is a Redis Cluster of the test's own.
type Cluster struct {
	URL   string // names all masters
	Nodes []*Node
}

// Node is a server of a cluster.
type Node struct {
	*Server
	Addr  string
	raw   *redis.Client
	stack *Stack
}

// nodeTimeout is when a node that does not answer counts as failing. Then the
// others vote, and its replica takes its place within about as long.
const nodeTimeout = time.Second

// RedisCluster starts a cluster with that many masters, and with a replica of
// each when asked, on whose account it survives that a master is killed. Nodes
// has the masters first, then their replicas in the same order.
func RedisCluster(t testing.TB, masters int, replicas bool) *Cluster {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	c, err := StartCluster(ctx, masters, replicas, localstack.Options{}, t.Output())
	if err != nil {
		t.Fatalf("storetest: a cluster for this test: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Stop(ctx); err != nil {
			t.Errorf("storetest: %v", err)
		}
	})
	return c
}

// StartCluster is RedisCluster for who is no test: Stop ends it. Of o counts
// how its servers write; progress goes to out.
func StartCluster(ctx context.Context, masters int, replicas bool, o localstack.Options, out io.Writer) (*Cluster, error) {
	n := masters
	if replicas {
		n = 2 * masters
	}
	settings := func() []string {
		port := "0" // refused, should there be none
		if free, err := localstack.FreeAddr(); err == nil {
			port = strconv.Itoa(int(free.Port()))
		}
		return []string{"cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-port " + port,
			fmt.Sprintf("cluster-node-timeout %d", nodeTimeout.Milliseconds()), "cluster-replica-validity-factor 0"}
	}
	nodes, err := startNodes(ctx, n, o, settings, out)
	c := &Cluster{Nodes: nodes}
	if err == nil {
		err = c.form(ctx, masters)
	}
	if err != nil {
		return nil, errors.Join(err, c.Stop(ctx))
	}
	var rest []string
	for _, node := range c.Nodes[1:masters] {
		rest = append(rest, "addr="+node.Addr)
	}
	c.URL = "redis://default:" + clusterPassword + "@" + c.Nodes[0].Addr + "?" + strings.Join(rest, "&")
	return c, nil
}

// Client is a plain client of the cluster.
func (c *Cluster) Client() redis.UniversalClient {
	var addrs []string
	for _, node := range c.Nodes {
		addrs = append(addrs, node.Addr)
	}
	return redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, Password: clusterPassword})
}

// Stop ends all servers, and removes their files.
func (c *Cluster) Stop(ctx context.Context) error { return stopNodes(ctx, c.Nodes) }

// startAttempts is how often a server is started: others may take its ports
// between when they are found and when it listens on them.
const startAttempts = 5

// startNodes starts servers at once: each spends its time waiting. Those that
// started come with the error of others.
func startNodes(ctx context.Context, n int, o localstack.Options, settings func() []string, out io.Writer) ([]*Node, error) {
	nodes, errs := make([]*Node, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for range startAttempts {
				if nodes[i], errs[i] = startNode(ctx, o, settings(), out); errs[i] == nil {
					return
				}
			}
		})
	}
	all.Wait()
	return slices.DeleteFunc(nodes, func(n *Node) bool { return n == nil }), errors.Join(errs...)
}

func startNode(ctx context.Context, o localstack.Options, settings []string, out io.Writer) (*Node, error) {
	o.Redis, o.AppendOnly, o.RedisPassword, o.RedisSettings = true, true, clusterPassword, settings
	if !o.RedisSentinel {
		o.RedisSettings = append(o.RedisSettings, "masterauth "+clusterPassword, "repl-diskless-sync-delay 0", "repl-ping-replica-period 1")
	}
	stack, err := Start(ctx, o, out)
	if err != nil {
		return nil, err
	}
	node, err := newNode(stack)
	if err != nil {
		return nil, errors.Join(err, stack.Stop(ctx))
	}
	return node, nil
}

func stopNodes(ctx context.Context, nodes []*Node) error {
	var errs []error
	for _, node := range nodes {
		errs = append(errs, node.raw.Close(), node.stack.Stop(ctx))
	}
	return errors.Join(errs...)
}

func newNode(stack *Stack) (*Node, error) {
	o, err := redis.ParseURL(stack.RedisURL)
	if err != nil {
		return nil, err
	}
	return &Node{Server: &Server{URL: stack.RedisURL, server: stack.Redis}, Addr: o.Addr, raw: redis.NewClient(o), stack: stack}, nil
}

// Raw is a client of one node alone, which follows no redirections.
func (n *Node) Raw() *redis.Client { return n.raw }

// form gives slots to the masters, and their replicas to them.
func (c *Cluster) form(ctx context.Context, masters int) error {
	ids := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		id, err := node.raw.Do(ctx, "CLUSTER", "MYID").Text()
		if err != nil {
			return err
		}
		ids[i] = id
		if err := node.raw.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
			return err
		}
		if i >= masters {
			continue
		}
		first, last := i*slots/masters, (i+1)*slots/masters-1
		if err := node.raw.ClusterAddSlotsRange(ctx, first, last).Err(); err != nil {
			return err
		}
	}
	first, err := c.Nodes[0].raw.ConfigGet(ctx, "cluster-port").Result()
	if err != nil {
		return err
	}
	host, port, _ := strings.Cut(c.Nodes[0].Addr, ":")
	for _, node := range c.Nodes[1:] {
		if err := node.raw.Do(ctx, "CLUSTER", "MEET", host, port, first["cluster-port"]).Err(); err != nil {
			return err
		}
	}
	if err := c.until(ctx, func(node *Node) bool {
		return strings.Count(node.raw.ClusterNodes(ctx).Val(), " connected") == len(c.Nodes)
	}); err != nil {
		return err
	}
	for i, node := range c.Nodes[masters:] {
		if err := node.raw.ClusterReplicate(ctx, ids[i]).Err(); err != nil {
			return err
		}
	}
	return c.until(ctx, func(node *Node) bool { return node.whole(ctx, len(c.Nodes)-masters) })
}

// whole reports whether a node sees the cluster work, with so many replicas,
// and has what its master has.
func (n *Node) whole(ctx context.Context, replicas int) bool {
	seen := strings.Count(n.raw.ClusterNodes(ctx).Val(), "slave ")
	link, _ := n.raw.InfoMap(ctx, "replication").Result()
	return strings.Contains(n.raw.ClusterInfo(ctx).Val(), "cluster_state:ok") && seen == replicas &&
		(link["Replication"]["role"] == "master" || link["Replication"]["master_link_status"] == "up")
}

const formWithin = 30 * time.Second

// until waits until something holds of every node.
func (c *Cluster) until(ctx context.Context, holds func(*Node) bool) error {
	ctx, cancel := context.WithTimeout(ctx, formWithin)
	defer cancel()
	for _, node := range c.Nodes {
		if err := await(ctx, func() bool { return holds(node) }); err != nil {
			return fmt.Errorf("node %s sees %q: %w", node.Addr, node.raw.ClusterNodes(context.WithoutCancel(ctx)).Val(), err)
		}
	}
	return nil
}

// await asks again and again until something holds or ctx ends.
func await(ctx context.Context, holds func() bool) error {
	for !holds() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// Holder is the node that has a key's slot now.
func (c *Cluster) Holder(t testing.TB, key string) *Node {
	t.Helper()
	holder, err := c.HolderOf(t.Context(), key)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	return holder
}

// HolderOf waits until a node has a key's slot, and says which.
func (c *Cluster) HolderOf(ctx context.Context, key string) (holder *Node, err error) {
	err = await(ctx, func() bool {
		for _, node := range c.Nodes {
			slot, err := node.raw.ClusterKeySlot(ctx, key).Result()
			if err != nil {
				continue // it is not there
			}
			if addr := node.masterOf(ctx, slot); addr != "" {
				holder = c.node(addr)
			}
			if holder != nil {
				return true
			}
		}
		return false
	})
	if err != nil {
		return nil, fmt.Errorf("nobody has the slot of %s: %w", key, err)
	}
	return holder, nil
}

// Healthy waits until every node of a cluster with replicas sees it work, and has
// what its master has.
func (c *Cluster) Healthy(ctx context.Context) error {
	return c.until(ctx, func(node *Node) bool { return node.whole(ctx, len(c.Nodes)/2) })
}

// masterOf is the address of the master that has a slot, as a node sees it; ""
// when it does not answer, or that master does not.
func (n *Node) masterOf(ctx context.Context, slot int64) string {
	shards, _ := n.raw.ClusterShards(ctx).Result()
	for _, shard := range shards {
		if !slices.ContainsFunc(shard.Slots, func(r redis.SlotRange) bool { return slot >= r.Start && slot <= r.End }) {
			continue
		}
		for _, node := range shard.Nodes {
			if node.Role == "master" && node.Health == "online" {
				return net.JoinHostPort(node.IP, strconv.FormatInt(node.Port, 10))
			}
		}
	}
	return ""
}

func (c *Cluster) node(addr string) *Node {
	if i := slices.IndexFunc(c.Nodes, func(n *Node) bool { return n.Addr == addr }); i >= 0 {
		return c.Nodes[i]
	}
	return nil
}

func (n *Node) slotOf(t testing.TB, key string) int {
	t.Helper()
	slot, err := n.raw.ClusterKeySlot(t.Context(), key).Result()
	if err != nil {
		t.Fatalf("storetest: the slot of %s: %v", key, err)
	}
	return int(slot)
}

// Move gives the slot of a key to another node, one key after the other, as
// redis-cli --cluster reshard does: for a while some are here and some there.
// between is called after each.
func (c *Cluster) Move(t testing.TB, key string, to *Node, between func()) {
	t.Helper()
	ctx, from := t.Context(), c.Holder(t, key)
	slot := from.slotOf(t, key)
	do := func(node *Node, args ...any) *redis.Cmd {
		cmd := node.raw.Do(ctx, args...)
		if cmd.Err() != nil {
			t.Fatalf("storetest: moving slot %d: %v: %v", slot, args[:3], cmd.Err())
		}
		return cmd
	}
	id := func(node *Node) string { return node.raw.Do(ctx, "CLUSTER", "MYID").Val().(string) }
	do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", id(from))
	do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", id(to))
	host, port, _ := strings.Cut(to.Addr, ":")
	for {
		keys, err := do(from, "CLUSTER", "GETKEYSINSLOT", slot, 1).StringSlice()
		if err != nil {
			t.Fatalf("storetest: the keys of slot %d: %v", slot, err)
		}
		if len(keys) == 0 {
			break
		}
		do(from, "MIGRATE", host, port, keys[0], 0, 10000, "AUTH", clusterPassword)
		between()
	}
	for _, node := range []*Node{to, from} {
		do(node, "CLUSTER", "SETSLOT", slot, "NODE", id(to))
	}
}
