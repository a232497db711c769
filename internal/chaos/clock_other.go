//go:build !linux

package chaos

import (
	"errors"
	"syscall"
	"time"
)

func setClock(time.Time) error { return errors.New("stepping the clock needs Linux") }

func inItsOwnGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
