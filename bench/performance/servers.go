package performance

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/busuhq/busu/bench/bare"
	"github.com/busuhq/busu/bench/product"
	"github.com/busuhq/busu/internal/localstack"
)

// ServeCommand is the command line's first word of a process that serves, see
// Serve.
const ServeCommand = "serve"

// Serve is such a process: what kind, where, and what it asks.
func Serve(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("%s takes a kind, an address and a target", ServeCommand)
	}
	l, err := net.Listen("tcp", args[1])
	if err != nil {
		return err
	}
	return bare.Serve(ctx, l, args[0], args[2])
}

// start starts a server of a kind in a process of its own, once.
func (b *bench) start(ctx context.Context, kind, addr, target string) (*product.Process, error) {
	if p := b.servers[kind]; p != nil {
		return p, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if addr == "" {
		free, err := localstack.FreeAddr()
		if err != nil {
			return nil, err
		}
		addr = free.String()
	}
	p, err := product.Start(ctx, exec.Command(self, ServeCommand, kind, addr, target), "http://"+addr, filepath.Join(b.dir, kind+".log"))
	if err == nil {
		b.servers[kind] = p
	}
	return p, err
}

func (b *bench) startMock(ctx context.Context) error {
	p, err := b.start(ctx, bare.Mock, b.options.Mock, "")
	if err != nil {
		return err
	}
	b.mock = addrOf(p)
	return nil
}

func addrOf(p *product.Process) string { return p.Base[len("http://"):] }

// target is what a load is sent to.
type target struct {
	addr    string
	process *product.Process // nil: no process of ours
	pids    []int            // whose processor time counts
	metrics bool             // it tells of its memory at /metrics
}

func targetOf(p *product.Process) target {
	return target{addr: addrOf(p), process: p, pids: []int{p.PID()}}
}

// server is a target that is started when it is first asked for.
func (b *bench) server(ctx context.Context, kind string) (target, error) {
	address := b.mock
	if kind == bare.EchoRedis {
		r, err := b.ready(ctx)
		if err != nil {
			return target{}, err
		}
		address = r.stack.RedisURL
		if p := b.servers[kind]; p != nil && b.echoRedisOf != r {
			delete(b.servers, kind)
			if err := p.Stop(); err != nil {
				return target{}, err
			}
		}
		b.echoRedisOf = r
	}
	p, err := b.start(ctx, kind, "", address)
	if err != nil {
		return target{}, err
	}
	return targetOf(p), nil
}
