package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	ctx := context.WithoutCancel(t.Context())
	s, err := StartSentinels(ctx, localstack.Options{}, t.Output())
	if err != nil {
		t.Fatalf("storetest: Sentinels for this test: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(ctx); err != nil {
			t.Errorf("storetest: %v", err)
		}
	})
	return s
}

// StartSentinels is RedisSentinels for who is no test: Stop ends them. Of o
// counts how the servers that they watch write; progress goes to out.
func StartSentinels(ctx context.Context, o localstack.Options, out io.Writer) (*Sentinels, error) {
	s := new(Sentinels)
	if err := s.start(ctx, o, out); err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	return s, nil
}

// Client is a plain client of the server that the Sentinels name.
func (s *Sentinels) Client() redis.UniversalClient {
	var addrs []string
	for _, sentinel := range s.Sentinels {
		addrs = append(addrs, sentinel.Addr)
	}
	return redis.NewFailoverClient(&redis.FailoverOptions{MasterName: watched, SentinelAddrs: addrs, Password: clusterPassword, SentinelPassword: clusterPassword})
}

// Stop ends all servers, and removes their files.
func (s *Sentinels) Stop(ctx context.Context) error {
	return errors.Join(stopNodes(ctx, s.Sentinels), stopNodes(ctx, s.Redis))
}

func (s *Sentinels) start(ctx context.Context, o localstack.Options, out io.Writer) (err error) {
	if s.Redis, err = startNodes(ctx, 1, o, func() []string { return nil }, out); err != nil {
		return err
	}
	host, port, _ := strings.Cut(s.Redis[0].Addr, ":")
	replicas, err := startNodes(ctx, 1, o, func() []string { return []string{"replicaof " + host + " " + port} }, out)
	if s.Redis = append(s.Redis, replicas...); err != nil {
		return err
	}
	s.Sentinels, err = startNodes(ctx, 3, localstack.Options{RedisSentinel: true}, func() []string {
		return []string{
			fmt.Sprintf("sentinel monitor %s %s %s 2", watched, host, port),
			"sentinel auth-pass " + watched + " " + clusterPassword,
			fmt.Sprintf("sentinel down-after-milliseconds %s %d", watched, downAfter.Milliseconds()),
			"sentinel failover-timeout " + watched + " 5000",
			"sentinel sentinel-pass " + clusterPassword}
	}, out)
	if err != nil {
		return err
	}
	var hosts []string
	for _, sentinel := range s.Sentinels {
		hosts = append(hosts, sentinel.Addr)
	}
	s.URL = fmt.Sprintf("redis+sentinel://default:%s@%s/%s?sentinel_password=%[1]s", clusterPassword, strings.Join(hosts, ","), watched)
	return s.Healthy(ctx)
}

// Healthy waits until all Sentinels know each other, and the replica follows.
func (s *Sentinels) Healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, formWithin)
	defer cancel()
	for _, sentinel := range s.Sentinels {
		if err := await(ctx, func() bool { return sentinel.knows(ctx, 2, 1) }); err != nil {
			return fmt.Errorf("the Sentinel %s does not know the others: %w", sentinel.Addr, err)
		}
	}
	if err := await(ctx, func() bool { return s.follows(ctx) }); err != nil {
		return fmt.Errorf("the replica does not follow: %w", err)
	}
	return nil
}

// follows reports whether one server follows the other.
func (s *Sentinels) follows(ctx context.Context) bool {
	following := 0
	for _, node := range s.Redis {
		link, err := node.raw.InfoMap(ctx, "replication").Result()
		if err != nil {
			return false
		}
		if link["Replication"]["master_link_status"] == "up" {
			following++
		}
	}
	return following == len(s.Redis)-1
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
	master, err := s.MasterNow(t.Context())
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	return master
}

// MasterNow waits until the Sentinels name a server, and says which.
func (s *Sentinels) MasterNow(ctx context.Context) (master *Node, err error) {
	err = await(ctx, func() bool {
		at, _ := s.Sentinels[0].raw.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", watched).StringSlice()
		for _, node := range s.Redis {
			if node.Addr == strings.Join(at, ":") {
				master = node
			}
		}
		return master != nil
	})
	if err != nil {
		return nil, fmt.Errorf("the Sentinels name no master: %w", err)
	}
	return master, nil
}
