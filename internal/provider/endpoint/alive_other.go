//go:build !unix

package endpoint

import "net"

// lookAt cannot tell: a connection that is closed shows when it is written to.
func lookAt(net.Conn) func() bool { return func() bool { return true } }
