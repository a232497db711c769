//go:build unix

package endpoint

import (
	"errors"
	"net"
	"syscall"
)

// lookAt gives a function that reports whether an idle connection is open and
// silent. What the host has sent unasked, its end above all, is there to be read:
// a look costs a system call, and a request on a connection that is closed would
// be lost.
func lookAt(conn net.Conn) func() bool {
	of, ok := conn.(syscall.Conn)
	if !ok {
		return func() bool { return true }
	}
	raw, err := of.SyscallConn()
	if err != nil {
		return func() bool { return false }
	}
	var silent bool
	var one [1]byte
	look := func(fd uintptr) bool {
		_, err := syscall.Read(int(fd), one[:]) // does not wait: sockets of package net never do
		silent = errors.Is(err, syscall.EAGAIN)
		return true
	}
	return func() bool { return raw.Read(look) == nil && silent }
}
