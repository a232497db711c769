package localstack

import (
	"fmt"
	"net"
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
	for _, port := range []int{preferred, 0} {
		l, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		defer l.Close()
		return l.Addr().(*net.TCPAddr).Port, nil
	}
	return 0, fmt.Errorf("no free TCP port on 127.0.0.1")
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
