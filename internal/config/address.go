package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// DefaultAddr is where the API listens unless told otherwise.
const DefaultAddr = "127.0.0.1:8000"

// defaultAddr is where each process listens unless told otherwise.
func defaultAddr(p Process) string {
	switch p {
	case Worker:
		return "127.0.0.1:8001"
	case Aggregator:
		return "127.0.0.1:8002"
	}
	return DefaultAddr
}

// addr reads BUSU_ADDR. An API without an admin key is open to whoever reaches
// it, so it may listen on loopback only; the other processes show health and
// metrics, which need no key anywhere.
func (e *environment) addr(p Process, key Secret) string {
	const name = "BUSU_ADDR"
	addr := e.text(name, defaultAddr(p))
	host, port, ok := e.hostPort(name, addr)
	if !ok {
		return addr
	}
	serves := p == API || p == All
	_, keyGiven := e.secret("BUSU_ADMIN_KEY")
	if serves && !key.IsSet() && !keyGiven && !isLoopback(host) {
		e.wrong(name, fmt.Sprintf("without BUSU_ADMIN_KEY the API is open, so it does not listen on %s beyond this machine", shorten(addr)),
			"set BUSU_ADMIN_KEY, or listen on 127.0.0.1:"+port)
	}
	return addr
}

// adminAddr reads BUSU_ADMIN_ADDR. What is shown there may hold prompts, so
// beyond loopback it takes a key in every process.
func (e *environment) adminAddr(key Secret) string {
	const name = "BUSU_ADMIN_ADDR"
	addr := e.text(name, "")
	if addr == "" {
		return ""
	}
	host, port, ok := e.hostPort(name, addr)
	_, keyGiven := e.secret("BUSU_ADMIN_KEY")
	if ok && !key.IsSet() && !keyGiven && !isLoopback(host) {
		e.wrong(name, fmt.Sprintf("without BUSU_ADMIN_KEY profiles are open, so they are not shown on %s beyond this machine", shorten(addr)),
			"set BUSU_ADMIN_KEY, or listen on 127.0.0.1:"+port)
	}
	return addr
}

func (e *environment) hostPort(name, addr string) (host, port string, ok bool) {
	host, port, err := net.SplitHostPort(addr)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		e.wrong(name, fmt.Sprintf("%q is not host:port", shorten(addr)), "write it like 127.0.0.1:8000 or [::1]:8000")
		return "", "", false
	}
	return host, port, true
}

// isLoopback reports whether only this machine reaches host. A name is not
// looked up: what it stands for can change.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// isPrivate reports whether host is on this machine or in a private network,
// where keys over plain HTTP are the operator's own affair.
func isPrivate(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
	}
	name := strings.ToLower(host)
	if !strings.Contains(name, ".") {
		return true // localhost, a Compose service, a host of the search domain
	}
	return slices.ContainsFunc([]string{".localhost", ".local", ".internal", ".lan"}, func(suffix string) bool {
		return strings.HasSuffix(name, suffix)
	})
}

// redisSchemes are those of one server, of a cluster and of Sentinels, each
// without and with TLS; several hosts make a cluster of the first two.
func redisSchemes() []string {
	return []string{"redis", "rediss", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel"}
}

// redisFault says what is wrong with the path of a Redis that is several, or "".
func redisFault(scheme, hosts, path, query string) string {
	path = strings.Trim(path, "/")
	switch name, database, _ := strings.Cut(path, "/"); {
	case strings.HasSuffix(scheme, "+sentinel"):
		if _, err := strconv.ParseUint(database, 10, 16); name == "" || database != "" && err != nil {
			return "it does not say which master the Sentinels watch, as in redis+sentinel://host:26379/mymaster"
		}
	case strings.HasSuffix(scheme, "+cluster"), strings.Contains(hosts, ","), strings.Contains(query, "addr="):
		if path != "" && path != "0" {
			return "a cluster has database 0 only"
		}
	}
	return ""
}

// storeFault says what is wrong with the address of a store, or "". It does
// not use net/url, whose errors quote the password, and which knows no lists
// of hosts.
func storeFault(raw string, schemes []string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || !slices.Contains(schemes, scheme) {
		return "it does not begin with " + strings.Join(schemes, ":// or ") + "://"
	}
	if strings.Contains(rest, "#") {
		return "it holds a #"
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		hosts = hosts[at+1:]
	} else if strings.Contains(path, "@") || strings.Contains(query, "@") {
		return "its user or password holds a / or ?"
	}
	if hosts == "" && strings.HasPrefix(scheme, "postgres") && strings.Contains(query, "host=") {
		return "" // a socket's directory
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if !isHostPort(host) {
			return "it names no host, or a port that is none"
		}
	}
	if strings.HasPrefix(scheme, "redis") {
		return redisFault(scheme, hosts, path, query)
	}
	return ""
}

// isHostPort accepts host, host:port, [v6] and [v6]:port.
func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port, err = net.SplitHostPort(s + ":1")
	}
	n, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && bad == nil && n > 0 && host != ""
}
