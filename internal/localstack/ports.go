package localstack

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
)

// Preferred ports: fixed, so that a saved connection keeps working, and never
// 5432 and 6379, where a developer's own servers live.
const (
	postgresPort = 25432
	redisPort    = 26379
)

// preferredPort is 0, any, for tests: many run at once.
func preferredPort(o Options, port int) int {
	if o.Ephemeral {
		return 0
	}
	return port
}

// choosePort gives preferred when it is free, else any free port.
func choosePort(preferred int) (int, error) {
	if preferred != 0 && !portTaken(preferred) {
		return preferred, nil
	}
	return freePort(storePorts)
}

// The system gives ports to connections and to listeners that ask for any from
// 32768 up (Linux) or 49152 up. One from below stays free until whoever it is
// for listens there, and while it is away. Stores, which come back to their
// ports, share none with others.
const (
	firstPort  = 10_000
	storePorts = 20_000
	portRange  = 10_000
	portTries  = 100
)

// FreeAddr gives an address on 127.0.0.1 that nobody listens on.
func FreeAddr() (netip.AddrPort, error) {
	port, err := freePort(firstPort)
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)), err
}

func freePort(first int) (int, error) {
	for range portTries {
		if port := first + rand.IntN(portRange); !portTaken(port) {
			return port, nil
		}
	}
	return 0, errors.New("no free TCP port on 127.0.0.1")
}

func portTaken(port int) bool {
	l, err := net.Listen("tcp", address(port))
	if err != nil {
		return true
	}
	l.Close()
	return false
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
