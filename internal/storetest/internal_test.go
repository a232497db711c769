package storetest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func TestRedisDatabasesAreReusedWhenAllAreTaken(t *testing.T) {
	t.Parallel()
	server := RedisServer(t)
	admin, err := openRedis(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	if err := admin.Set(t.Context(), countKey, 10_000, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := admin.RPush(t.Context(), freeKey, 5).Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // given back by the first, taken by the second
		t.Run("inner", func(t *testing.T) {
			if got, want := newRedisDatabase(t, server.URL), withNumber(server.URL, 5); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestSweepRemovesOnlyWhatIsLeftOver(t *testing.T) {
	t.Parallel()
	abandoned, living, young := stateDir(t, time.Hour), stateDir(t, time.Hour), stateDir(t, 0)
	lock, err := os.Open(filepath.Join(living, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	sweep()
	if _, err := os.Stat(abandoned); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a killed process left is still there: %v", err)
	}
	for _, dir := range []string{living, young} {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
}

// stateDir makes a directory with a lock of an age.
func stateDir(t *testing.T, age time.Duration) string {
	t.Helper()
	dir, err := temporary()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	lock, then := filepath.Join(dir, "lock"), time.Now().Add(-age)
	err = errors.Join(os.WriteFile(lock, []byte(strconv.Itoa(os.Getpid())), 0o600), os.Chtimes(lock, then, then))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
