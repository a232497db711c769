package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Allow says where messages may go beyond the public network: hosts by their
// names, networks by their prefixes. The zero value allows nothing more.
type Allow struct {
	entries  []string
	hosts    []string
	prefixes []netip.Prefix
}

// ParseAllow reads names of hosts, addresses and networks (CIDR).
func ParseAllow(entries []string) (Allow, error) {
	a := Allow{entries: slices.Clone(entries)}
	for _, entry := range entries {
		prefix, err := netip.ParsePrefix(entry)
		if ip, bad := netip.ParseAddr(entry); bad == nil && ip.Zone() == "" {
			prefix, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		switch {
		case err == nil && prefix.Addr().Is4In6():
			return Allow{}, fmt.Errorf("%q is an IPv4 address written as IPv6: write it as IPv4", entry)
		case err == nil:
			a.prefixes = append(a.prefixes, prefix.Masked())
		case isName(entry):
			a.hosts = append(a.hosts, hostOf(entry))
		default:
			return Allow{}, fmt.Errorf("%q is neither the name of a host nor an address or network: write it like hooks.example.com, 10.1.2.3 or 10.0.0.0/8", entry)
		}
	}
	return a, nil
}

// Entries are those it was made of.
func (a Allow) Entries() []string { return slices.Clone(a.entries) }

// isName reports whether text can be a host's name, without a port.
func isName(text string) bool {
	odd := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.')
	}
	return text != "" && len(text) <= 253 && !strings.ContainsFunc(text, odd) && !strings.HasPrefix(text, ".") && !numeric(text)
}

// numeric reports whether resolvers may take a name for an IPv4 address, such as
// 127.1 or 0x7f000001.
func numeric(host string) bool {
	last := hostOf(host)
	last = last[strings.LastIndexByte(last, '.')+1:]
	_, err := strconv.ParseUint(last, 0, 64)
	return err == nil || last != "" && strings.Trim(last, "0123456789") == ""
}

func hostOf(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// Host reports whether a host is allowed by its name, whatever it resolves to.
func (a Allow) Host(name string) bool { return slices.Contains(a.hosts, hostOf(name)) }

// ErrPrivate is an address that messages do not go to.
var ErrPrivate = errors.New("it is not on the public network, and webhooks.allow does not allow it")

// Address says whether messages may go to an address, or ErrPrivate.
func (a Allow) Address(ip netip.Addr) error {
	if a.lists(ip) || public(ip.Unmap().WithZone("")) {
		return nil
	}
	return fmt.Errorf("%s: %w", ip, ErrPrivate)
}

// lists reports whether an address is in an allowed network.
func (a Allow) lists(ip netip.Addr) bool {
	bare := ip.Unmap().WithZone("")
	return slices.ContainsFunc(a.prefixes, func(p netip.Prefix) bool { return p.Contains(bare) })
}

// The networks that the registries of special addresses (RFC 6890 and its
// updates) take out of the public ones, and Azure's metadata, which has a public
// address.
func special() []string {
	return []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "168.63.129.16/32",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", // tunnels, whose inner address nobody sees, and examples
	}
}

// public reports whether an address, which is no IPv4 in IPv6, is one of the
// public network. Of IPv6 only 2000::/3 is given out; the rest is loopback,
// unique local, link local, multicast, IPv4 in old disguises. One that NAT64
// translates stands for the IPv4 address in it.
func public(ip netip.Addr) bool {
	if ip.Is6() {
		if netip.MustParsePrefix("64:ff9b::/96").Contains(ip) {
			b := ip.As16()
			return public(netip.AddrFrom4([4]byte(b[12:])))
		}
		if !netip.MustParsePrefix("2000::/3").Contains(ip) {
			return false
		}
	}
	return ip.IsValid() && !slices.ContainsFunc(special(), func(p string) bool { return netip.MustParsePrefix(p).Contains(ip) })
}

const mostURL = 2000 // bytes

// CheckURL says why messages cannot go to an address, as far as can be seen
// without a network: what a name resolves to is looked at when it is called. The
// message goes on where the name of the field ends.
func (a Allow) CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case len(text) > mostURL:
		return fmt.Errorf("is longer than %d bytes", mostURL)
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || !port(u.Port()):
		return errors.New("is no address: write it like https://example.com/hook")
	case u.User != nil || u.Fragment != "":
		return errors.New("must hold neither a password nor a fragment: what is sent is signed, and can be verified by its signature")
	}
	host := hostOf(u.Hostname())
	if a.Host(host) {
		return nil
	}
	ip, err := netip.ParseAddr(host)
	literal := err == nil
	switch {
	case literal && a.Address(ip) != nil, !literal && local(host):
		return fmt.Errorf("names an address of a private network or of this machine (%s), which is not allowed here: add it to webhooks.allow in busu.yaml", host)
	case !literal && !isName(host):
		return errors.New("is no address: write it like https://example.com/hook")
	case u.Scheme == "http" && !a.lists(ip):
		return fmt.Errorf("must begin with https://, so that nobody reads it on its way; or add %s to webhooks.allow in busu.yaml", host)
	}
	return nil
}

func port(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && n > 0
}

// local reports whether a name is one that only private networks know, or may be
// an address in disguise.
func local(host string) bool {
	ends := func(suffix string) bool { return strings.HasSuffix(host, suffix) }
	return !strings.Contains(host, ".") || numeric(host) || slices.ContainsFunc([]string{".localhost", ".local", ".internal", ".lan", ".home.arpa"}, ends)
}

// Shown is an address without what may be a secret in it: what follows the
// question mark, and a password, which CheckURL refuses.
func Shown(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "***"
	}
	u.User, u.Fragment = nil, ""
	if u.RawQuery != "" {
		u.RawQuery = "***"
	}
	return u.String()
}
