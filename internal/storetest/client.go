package storetest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// RedisClient is a plain client of what a URL of this room names, until the
// test ends.
func RedisClient(t testing.TB, url string) redis.UniversalClient {
	t.Helper()
	client, err := plainClient(url)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func plainClient(url string) (redis.UniversalClient, error) {
	if strings.Contains(url, "?addr=") {
		o, err := redis.ParseClusterURL(url)
		if err != nil {
			return nil, err
		}
		return redis.NewClusterClient(o), nil
	}
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	return redis.NewClient(o), nil
}

func flushCluster(t testing.TB, url string) {
	t.Helper()
	client := RedisClient(t, url)
	if _, ok := client.(*redis.ClusterClient); !ok {
		t.Fatalf("storetest: %s names no cluster: list its nodes with ?addr=", ClusterVariable)
	}
	Flush(t, client)
}

// Flush empties what a client reads from, on every server.
func Flush(t testing.TB, client redis.UniversalClient) {
	t.Helper()
	if err := onEach(t.Context(), client, func(ctx context.Context, node *redis.Client) error { return node.FlushDB(ctx).Err() }); err != nil {
		t.Fatalf("storetest: %v", err)
	}
}

// Keys lists keys of all servers, in no order.
func Keys(t testing.TB, client redis.UniversalClient, pattern string) []string {
	t.Helper()
	var mu sync.Mutex // of keys
	var keys []string
	err := onEach(t.Context(), client, func(ctx context.Context, node *redis.Client) error {
		found, err := node.Keys(ctx, pattern).Result()
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, found...)
		return err
	})
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	return keys
}

func onEach(ctx context.Context, client redis.UniversalClient, do func(context.Context, *redis.Client) error) error {
	if cluster, ok := client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, do)
	}
	return do(ctx, client.(*redis.Client))
}
