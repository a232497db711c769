package localstack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// A supervisor killed with SIGKILL can clean up nothing itself.
func TestKilledSupervisorLeavesNoProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openDir(t), "state")
	cmd, _, first := supervisor(t, dir, nil)
	put(t, first.DatabaseURL, first.RedisURL)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// At once, whatever still runs: the next start has to deal with it.
	s := start(t, Options{Dir: dir, Postgres: true, Redis: true})
	if err := marked(t.Context(), s.DatabaseURL, s.RedisURL); err != nil {
		t.Error(err)
	}
	stop(t, s)
	eventually(t, func() error { return gone(dir) })
}

func TestKilledSupervisorAloneLeavesNoProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openDir(t), "state")
	cmd, _, _ := supervisor(t, dir, nil)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return gone(dir) })
}

func TestSupervisorKilledDuringInitdb(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openDir(t), "state")
	cmd := exec.Command(testProgram(t))
	cmd.Env = append(os.Environ(), superviseVariable+"="+dir, "LOCALSTACK_TEST_TOOLS="+testTools(t))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		_, err := os.Stat(filepath.Join(dir, "initdb.log"))
		return err
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	s := start(t, Options{Dir: dir, Postgres: true, Redis: true})
	put(t, s.DatabaseURL, s.RedisURL)
}

// In a container, process ids repeat: the one in postmaster.pid may by now
// belong to any program.
func TestPidFileOfAnotherProgram(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	o := Options{Dir: dir, Postgres: true}
	stop(t, start(t, o))
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	data := heldData(dir)
	if len(data) != 1 {
		t.Fatalf("data directories: %v", data)
	}
	pidFile := filepath.Join(data[0], "postmaster.pid")
	text := strconv.Itoa(other.Process.Pid) + "\n" + data[0] + "\n1\n25432\n\n127.0.0.1\n\nready\n"
	if err := os.WriteFile(pidFile, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s := start(t, o)
	if err := connect(t.Context(), s.DatabaseURL, "SELECT 1"); err != nil {
		t.Error(err)
	}
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the other program was ended: %v", err)
	}
}
