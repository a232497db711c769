package localstack

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestInMemoryRedis(t *testing.T) {
	t.Parallel()
	s := &Stack{launcher: newLauncher()}
	note, err := s.startRedisInMemory(Options{Log: slog.New(slog.DiscardHandler)}, "secret", errors.New("no network"))
	if err != nil {
		t.Fatal(err)
	}
	if !s.RedisInProcess || !strings.Contains(note, "no network") || !strings.Contains(note, "end with this process") {
		t.Errorf("in process: %v; note: %s", s.RedisInProcess, note)
	}
	options, err := redis.ParseURL(s.RedisURL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	if err := client.Set(t.Context(), "short", "lived", 200*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if err := client.Get(t.Context(), "short").Err(); !errors.Is(err, redis.Nil) {
			return errors.Join(errors.New("the key does not expire"), err)
		}
		return nil
	})
	s.inMemory.close()
	s.inMemory.close() // as Stop after Stop does
	if err := client.Ping(context.WithoutCancel(t.Context())).Err(); err == nil {
		t.Error("it answers after its end")
	}
}
