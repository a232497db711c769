package journal

import (
	"errors"
	"os"
	"syscall"
)

// datasync is fdatasync(2), which unlike fsync does not wait for times and
// other metadata that reading back does not need.
func datasync(f *os.File) error {
	return control(f, func(fd int) error { return syscall.Fdatasync(fd) })
}

const keepSize = 1 // FALLOC_FL_KEEP_SIZE

// allocate claims disk space for size bytes of f without changing its length.
// Only a disk without room is an error: some file systems cannot allocate.
func allocate(f *os.File, from, size int64) error {
	err := control(f, func(fd int) error { return syscall.Fallocate(fd, keepSize, from, size) })
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &os.PathError{Op: "allocate", Path: f.Name(), Err: err}
	}
	return nil
}

// control calls what may be interrupted, again if need be.
func control(f *os.File, call func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = c.Control(func(fd uintptr) {
		for failed = call(int(fd)); failed == syscall.EINTR; failed = call(int(fd)) {
		}
	})
	return errors.Join(err, failed)
}
