package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/localstack"
)

// Sentinels is a Redis with a replica, and three Sentinels that watch both.
type Sentinels struct {
	URL       string // names the Sentinels
	Redis     []*Node
	Sentinels []*Node
}

// watched is the name of what the Sentinels watch.
const watched = "busu"

// downAfter is when a server that does not answer counts as down for a
// Sentinel. They vote then.
const downAfter = time.Second

// RedisSentinels starts all five, and waits until they know each other.
func RedisSentinels(t testing.TB) *Sentinels {
	t.Helper()
	s := &Sentinels{Redis: startNodes(t, 1, func() localstack.Options { return localstack.Options{} })}
	host, port, _ := strings.Cut(s.Redis[0].Addr, ":")
	s.Redis = append(s.Redis, startNodes(t, 1, func() localstack.Options {
		return localstack.Options{RedisSettings: []string{"replicaof " + host + " " + port}}
	})...)
	s.Sentinels = startNodes(t, 3, func() localstack.Options {
		return localstack.Options{RedisSentinel: true, RedisSettings: []string{
			fmt.Sprintf("sentinel monitor %s %s %s 2", watched, host, port),
			"sentinel auth-pass " + watched + " " + clusterPassword,
			fmt.Sprintf("sentinel down-after-milliseconds %s %d", watched, downAfter.Milliseconds()),
			"sentinel failover-timeout " + watched + " 5000",
			"sentinel sentinel-pass " + clusterPassword}}
	})
	ctx, cancel := context.WithTimeout(t.Context(), formWithin)
	defer cancel()
	var hosts []string
	for _, sentinel := range s.Sentinels {
		hosts = append(hosts, sentinel.Addr)
		if err := await(ctx, func() bool { return sentinel.knows(ctx, 2, 1) }); err != nil {
			t.Fatalf("storetest: Sentinel %s does not know the others: %v", sentinel.Addr, err)
		}
	}
	if err := await(ctx, func() bool {
		link, _ := s.Redis[1].raw.InfoMap(ctx, "replication").Result()
		return link["Replication"]["master_link_status"] == "up"
	}); err != nil {
		t.Fatalf("storetest: the replica does not follow: %v", err)
	}
	s.URL = fmt.Sprintf("redis+sentinel://default:%s@%s/%s?sentinel_password=%[1]s", clusterPassword, strings.Join(hosts, ","), watched)
	return s
}

// knows reports whether a Sentinel has found so many others, and replicas.
func (n *Node) knows(ctx context.Context, sentinels, replicas int) bool {
	asked := redis.NewMapStringStringCmd(ctx, "SENTINEL", "MASTER", watched)
	_ = n.raw.Process(ctx, asked) // also what it returns
	fields, err := asked.Result()
	return err == nil && fields["num-other-sentinels"] == fmt.Sprint(sentinels) && fields["num-slaves"] == fmt.Sprint(replicas)
}

// Master is the server that the Sentinels name now.
func (s *Sentinels) Master(t testing.TB) *Node {
	t.Helper()
	var master *Node
	err := await(t.Context(), func() bool {
		at, _ := s.Sentinels[0].raw.Do(t.Context(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", watched).StringSlice()
		for _, node := range s.Redis {
			if node.Addr == strings.Join(at, ":") {
				master = node
			}
		}
		return master != nil
	})
	if err != nil {
		t.Fatalf("storetest: the Sentinels name no master: %v", err)
	}
	return master
}
