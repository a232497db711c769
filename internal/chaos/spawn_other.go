//go:build !linux

package chaos

import "syscall"

// diesWithUs needs Linux.
func diesWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
