package chaos

import (
	"syscall"
	"time"
)

func setClock(to time.Time) error {
	tv := syscall.NsecToTimeval(to.UnixNano())
	return syscall.Settimeofday(&tv)
}

func inItsOwnGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
