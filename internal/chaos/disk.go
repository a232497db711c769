package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	diskMegabytes = 16
	diskWithin    = 30 * time.Second
	diskClients   = 32
	refusedEnough = 200 // in all: after the first, no request may get through
)

// fullDisk fills the disk of an API of its own while clients ask: from some
// moment on they must be refused, before the provider is called. With room
// again they must be answered.
func (e *engine) fullDisk(ctx context.Context) string {
	dir := filepath.Join(e.dir, "disk")
	if err := mountSmall(dir, diskMegabytes); err != nil {
		return "not run: " + err.Error()
	}
	e.o.Log.Info("fault", "fault", "full disk")
	e.mounted = dir
	p := e.process("api-3", "api", dir)
	e.procs = append(e.procs, p)
	ctx, cancel := context.WithTimeout(ctx, 2*diskWithin)
	defer cancel()
	err := p.start(ctx)
	if err == nil {
		err = e.healthy(ctx)
	}
	if err == nil {
		err = fill(filepath.Join(dir, "ballast"))
	}
	if err != nil {
		e.found.add("full disk: %v", err)
		return err.Error()
	}
	before, refused := e.askUntilRefused(ctx, p)
	began := time.Now()
	if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
		e.found.add("full disk: %v", err)
	}
	n := 0
	if err := until(ctx, func() bool { n++; return e.load.ask(ctx, p, fmt.Sprintf("f-%d", n), n) == http.StatusOK }); err != nil {
		e.found.add("full disk: no answer within %s of making room", time.Since(began))
	}
	return fmt.Sprintf("%d answers until it was full, then %d requests refused without a call of the provider; answered again %s after there was room",
		before, refused, time.Since(began).Round(time.Millisecond))
}

// askUntilRefused asks until enough requests in a row were refused, and holds
// the provider's account against that.
func (e *engine) askUntilRefused(ctx context.Context, p *process) (answered, refused int64) {
	ctx, cancel := context.WithTimeout(ctx, diskWithin)
	defer cancel()
	var n, ok, row atomic.Int64
	var unpaid sync.Map
	var all sync.WaitGroup
	for range diskClients {
		all.Go(func() {
			for ctx.Err() == nil && row.Load() < refusedEnough {
				i := int(n.Add(1))
				marker := fmt.Sprintf("d-%d", i)
				switch e.load.ask(context.WithoutCancel(ctx), p, marker, i) {
				case http.StatusServiceUnavailable:
					row.Add(1)
					unpaid.Store(marker, true)
				case http.StatusOK, http.StatusBadGateway:
					ok.Add(1)
				}
			}
		})
	}
	all.Wait()
	if row.Load() < refusedEnough {
		e.found.add("full disk: only %d of %d requests were refused within %s", row.Load(), n.Load(), diskWithin)
	}
	paid := e.upstream.called()
	unpaid.Range(func(marker, _ any) bool {
		if paid[marker.(string)] > 0 {
			e.found.add("full disk: %s was refused, and the provider called", marker)
		}
		return true
	})
	return ok.Load(), row.Load()
}

// fill writes a file until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for block := make([]byte, 64<<10); ; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
