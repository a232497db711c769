//go:build unix

package flock

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const holds = "BUSU_TEST_HOLDS"

// TestMain lets a test run this binary again as a process that holds a lock.
func TestMain(m *testing.M) {
	if path := os.Getenv(holds); path != "" {
		os.Exit(hold(path))
	}
	os.Exit(m.Run())
}

// hold takes a lock, says so, and keeps it until it is killed.
func hold(path string) int {
	lock, err := Take(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("holds")
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	_ = lock.Close()
	return 0
}

func take(t *testing.T, path string) *Lock {
	t.Helper()
	lock, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

func giveBack(t *testing.T, lock *Lock) {
	t.Helper()
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTake(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.lock")
	first := take(t, path)
	lock, err := Take(path)
	if lock != nil || !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), path) {
		t.Errorf("taken twice: %v, %v", lock, err)
	}
	other := take(t, path+"2")
	giveBack(t, other)
	giveBack(t, first)
	giveBack(t, take(t, path))
}

// A lock is free once it is given back, although other goroutines start
// processes, which inherit everything for a moment.
func TestLockIsFreeWhileProcessesStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.lock")
	done := make(chan struct{})
	var starting sync.WaitGroup
	starting.Go(func() {
		defer close(done)
		for range 50 {
			c := exec.Command(os.Args[0], "-test.run=^$")
			c.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
			if err := c.Run(); err != nil {
				t.Error(err)
			}
		}
	})
	for isDone := false; !isDone; {
		giveBack(t, take(t, path))
		select {
		case <-done:
			isDone = true
		default:
		}
	}
	starting.Wait()
}

func TestTakeFails(t *testing.T) {
	t.Parallel()
	_, err := Take(filepath.Join(t.TempDir(), "missing", "a.lock"))
	if !errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrHeld) {
		t.Errorf("took a lock in a folder that is not there: %v", err)
	}
}

// The lock goes with the process, however it ends.
func TestLockEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.lock")
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holds+"="+path)
	holder.Stderr = os.Stderr
	if _, err := holder.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "holds\n" {
		t.Fatalf("the holder says %q, %v", line, err)
	}
	if _, err := Take(path); !errors.Is(err, ErrHeld) {
		t.Errorf("took what another process holds: %v", err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Wait(); err == nil {
		t.Error("the holder ended by itself")
	}
	giveBack(t, take(t, path))
}

func TestTakeSlot(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b") // is created
	var locks []*Lock
	for want := range mostSlots {
		slot, lock, err := TakeSlot(dir)
		if err != nil || slot != want {
			t.Fatalf("slot %d, want %d: %v", slot, want, err)
		}
		locks = append(locks, lock)
	}
	if _, lock, err := TakeSlot(dir); lock != nil || !errors.Is(err, ErrHeld) {
		t.Errorf("a slot too many: %v, %v", lock, err)
	}
	giveBack(t, locks[7])
	slot, lock, err := TakeSlot(dir)
	if err != nil || slot != 7 {
		t.Errorf("slot %d, want the free one, 7: %v", slot, err)
	}
	locks[7] = lock
	for _, l := range locks {
		giveBack(t, l)
	}
}

func TestTakeSlotFails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := TakeSlot(file); err == nil || errors.Is(err, ErrHeld) {
		t.Errorf("took a slot in a file: %v", err)
	}
}
