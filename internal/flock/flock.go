//go:build unix

// Package flock gives a folder or a name to one process at a time. The lock
// goes with the process, however it ends.
package flock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrHeld says that another process has the lock.
var ErrHeld = errors.New("held by another process")

// Lock is a lock that this process has.
type Lock struct{ file *os.File }

// Take takes the lock of the file at path, which is created if it is missing.
// It returns ErrHeld without waiting.
func Take(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%s: %w", path, ErrHeld)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Lock{f}, nil
}

// Close gives the lock back. Closing the file alone would not do when a child
// process is just being started, which has a copy of it for a moment.
func (l *Lock) Close() error {
	return errors.Join(syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN), l.file.Close())
}

const mostSlots = 64

// TakeSlot takes the first free of the numbered locks in dir, so that several
// processes can share a folder and each finds its own number again.
func TakeSlot(dir string) (slot int, lock *Lock, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, nil, err
	}
	for slot := range mostSlots {
		lock, err := Take(filepath.Join(dir, fmt.Sprintf("%02d.lock", slot)))
		if !errors.Is(err, ErrHeld) {
			return slot, lock, err
		}
	}
	return 0, nil, fmt.Errorf("all %d slots in %s: %w", mostSlots, dir, ErrHeld)
}
