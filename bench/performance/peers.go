package performance

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/busuhq/busu/bench/load"
	"github.com/busuhq/busu/bench/measure"
)

// Peer is another gateway, which runs already and asks our upstream.
type Peer struct {
	Name    string
	Addr    string
	Path    string   // before /chat/completions
	Model   string   // that it is asked for
	Headers []string // more of them
	PID     int      // whose processor time, with that of its children, counts; 0: not known
}

// PeerHelp says how one is written.
const PeerHelp = "another gateway that asks the upstream at -mock: name=URL[,model=NAME][,header=NAME: VALUE]…[,pid=N]; may be repeated"

// ParsePeer reads one. A process on this machine need not be named: who listens
// at the address is it.
func ParsePeer(text string) (p Peer, err error) {
	name, rest, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return p, fmt.Errorf("%q is no peer: write %s", text, PeerHelp)
	}
	parts := strings.Split(rest, ",")
	u, err := url.Parse(parts[0])
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return p, fmt.Errorf("%q is no address of a peer: write http://HOST:PORT/v1", parts[0])
	}
	p = Peer{Name: name, Addr: u.Host, Path: strings.TrimSuffix(u.Path, "/"), Model: "mock"}
	for _, part := range parts[1:] {
		what, value, _ := strings.Cut(part, "=")
		switch what {
		case "model":
			p.Model = value
		case "header":
			p.Headers = append(p.Headers, value)
		case "pid":
			if p.PID, err = strconv.Atoi(value); err != nil {
				return p, fmt.Errorf("pid of %s: %w", name, err)
			}
		default:
			return p, fmt.Errorf("%q of %s: write %s", part, name, PeerHelp)
		}
	}
	if port, err := strconv.Atoi(u.Port()); err == nil && p.PID == 0 {
		p.PID, _ = measure.Listening(port)
	}
	return p, nil
}

func closedPeer(name string) string { return "32 callers: " + name }
func openPeer(name string) string   { return "1k/s: " + name }

func (p Peer) target() target {
	t := target{addr: p.Addr}
	if p.PID > 0 {
		t.pids = []int{p.PID}
	}
	return t
}

func (p Peer) ask() ask { return ask{model: p.Model, path: p.Path, headers: p.Headers} }

func (b *bench) peerCapacities() (all []scenario) {
	for _, p := range b.options.Peers {
		all = append(all, scenario{closedPeer(p.Name), func(ctx context.Context) (measure.Figures, error) {
			return sound(b.closed(ctx, p.target(), p.ask().recipe(b.fresh(), 0), load.Load{}))
		}})
	}
	return all
}

func (b *bench) peerLatencies() (all []scenario) {
	for _, p := range b.options.Peers {
		all = append(all, scenario{openPeer(p.Name), func(ctx context.Context) (measure.Figures, error) {
			return sound(b.steadily(ctx, p.target(), p.ask().recipe(b.fresh(), 0), load.Load{}))
		}})
	}
	return all
}
