package localstack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dirMode lets the user that PostgreSQL runs as pass through, and nobody list.
const dirMode = 0o711

// lockDir makes dir if needed and locks it against a second process. Two
// Redis servers on one append-only file would ruin it.
func lockDir(dir string) (*os.File, error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, dirError(dir, err)
	}
	if err := tryLock(f); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, lockedError(dir, readPid(f))
		}
		return nil, dirError(dir, err)
	}
	if err := writePid(f); err != nil {
		f.Close()
		return nil, dirError(dir, err)
	}
	return f, nil
}

// tryLock waits only while a holder that is gone still seems to hold the
// lock: a child it was about to start when it was killed has it for a moment.
func tryLock(f *os.File) error {
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			return err
		}
		if pid := readPid(f); pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return err
		}
	}
}

func unlock(f *os.File) error {
	if err := f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// makeDir makes one level only: a missing parent is more often a mistyped or
// unmounted path than a wish.
func makeDir(dir string) error {
	err := os.Mkdir(dir, dirMode)
	if errors.Is(err, fs.ErrExist) {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = errors.New("it is not a directory")
		}
		return dirError(dir, err)
	}
	return dirError(dir, err)
}

func writePid(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readPid is the holder's process id, or 0 when it is not known.
func readPid(f *os.File) int {
	text := make([]byte, 20)
	n, _ := f.ReadAt(text, 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	return pid
}

func lockedError(dir string, pid int) error {
	const hint = "set BUSU_STATE_DIR to another directory"
	if pid == 0 {
		return fmt.Errorf("state directory %s is in use by another process; stop that one, or %s", dir, hint)
	}
	return fmt.Errorf("state directory %s is in use by process %d; stop that one (kill %d), or %s", dir, pid, pid, hint)
}

// dirError says in one line why dir cannot hold state, and what to do.
func dirError(dir string, err error) error {
	const hint = "or set BUSU_STATE_DIR to a directory that can be written"
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("state directory %s cannot be made: its parent does not exist; create %s, %s", dir, filepath.Dir(dir), hint)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("state directory %s cannot be written by %s: %w; change its owner, %s", dir, currentUser(), err, hint)
	}
	return fmt.Errorf("state directory %s cannot be used: %w; mend that, %s", dir, err, hint)
}

func currentUser() string {
	return "user id " + strconv.Itoa(os.Geteuid())
}
