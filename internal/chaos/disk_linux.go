package chaos

import (
	"fmt"
	"os"
	"syscall"
)

// mountSmall mounts a small disk at dir, which it makes.
func mountSmall(dir string, megabytes int) error {
	if err := os.Mkdir(dir, 0o711); err != nil {
		return err
	}
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes))
}

// unmount lets go of it even when a file is still open.
func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
