package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Database 0 keeps the count of databases handed out, and those given back.
const (
	countKey = "storetest:count"
	freeKey  = "storetest:free"
)

// newRedisDatabase hands a logical database to a test: one never used, while
// there are any, else one that another test has given back.
func newRedisDatabase(t testing.TB, server string) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	admin, err := openRedis(server)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	t.Cleanup(func() { admin.Close() })
	number, err := claim(ctx, admin)
	if err != nil {
		t.Fatalf("storetest: a Redis database for this test: %v", err)
	}
	mine := withNumber(server, number)
	if err := flush(ctx, mine); err != nil {
		t.Fatalf("storetest: emptying Redis database %d: %v", number, err)
	}
	t.Cleanup(func() {
		if err := errors.Join(flush(ctx, mine), admin.RPush(ctx, freeKey, number).Err()); err != nil {
			t.Errorf("storetest: giving back Redis database %d: %v", number, err)
		}
	})
	return mine
}

// claim returns the number of a database that nobody uses.
func claim(ctx context.Context, admin *redis.Client) (int, error) {
	config, err := admin.ConfigGet(ctx, "databases").Result()
	if err != nil {
		return 0, err
	}
	databases, err := strconv.Atoi(config["databases"])
	if err != nil {
		return 0, err
	}
	number, err := admin.Incr(ctx, countKey).Result()
	if err != nil || int(number) < databases {
		return int(number), err
	}
	free, err := admin.BLPop(ctx, time.Minute, freeKey).Result()
	if errors.Is(err, redis.Nil) {
		return 0, fmt.Errorf("all %d databases of %s are in use; give that server more (--databases 10000), or unset it", databases, RedisVariable)
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(free[1])
}

func flush(ctx context.Context, server string) error {
	client, err := openRedis(server)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.FlushDB(ctx).Err()
}

func openRedis(server string) (*redis.Client, error) {
	options, err := redis.ParseURL(server)
	if err != nil {
		return nil, err
	}
	options.PoolSize = 1
	options.ReadTimeout = 2 * time.Minute // claim may wait
	return redis.NewClient(options), nil
}

func withNumber(server string, number int) string {
	u, err := url.Parse(server)
	if err != nil {
		return server // connecting will say what is wrong with it
	}
	u.Path = "/" + strconv.Itoa(number)
	return u.String()
}
