package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are networks of proxies whose word is taken for where a request came
// from, and how.
type Proxies []netip.Prefix

func (p Proxies) has(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(a) })
}

// from is the address that a request came from: the last one that is not a
// proxy's, as far as proxies of ours tell.
func (p Proxies) from(r *http.Request) string {
	peer, ok := peerOf(r)
	if !ok {
		return ""
	}
	told := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(told) {
		if !p.has(peer) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			break
		}
		peer = before.Unmap().WithZone("")
	}
	return peer.String()
}

func peerOf(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(host)
	return a.Unmap().WithZone(""), err == nil
}

// secure reports whether a browser sent a request over TLS: to this process, to
// a proxy of ours, or as the browser itself says. A client that says so and is
// wrong only gets a cookie that it cannot use.
func (p Proxies) secure(r *http.Request) bool {
	if r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://") {
		return true
	}
	peer, ok := peerOf(r)
	return ok && p.has(peer) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}
