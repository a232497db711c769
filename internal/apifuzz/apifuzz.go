// Package apifuzz sends requests to busu that its OpenAPI document allows,
// almost allows, and does not allow at all, for every operation and every kind
// of caller, and holds what comes back against what is promised to everybody:
// no answer is our mistake, each is as documented, nobody gets what his key does
// not give, nothing is told that is not his business.
//
// It knows busu as its callers do, and writes bytes to a connection itself:
// HTTP clients do not send what is not right.
package apifuzz

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/contract"
)

// Target is a busu that is up.
type Target struct {
	Addr     string // host:port
	AdminKey string
	Document *contract.Document
	Models   []string // that there are
}

// Options say how much is sent.
type Options struct {
	Seed     uint64 // the same one draws the same requests, but for the ids that busu gave out meanwhile
	Requests int
	AtOnce   int           // connections
	Patience time.Duration // for one answer
}

// Run sends requests until there were enough of them, or ctx ends.
func Run(ctx context.Context, to Target, o Options) (*Report, error) {
	callers, err := makeCallers(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("make keys to send with: %w", err)
	}
	f := &fuzzer{target: to, options: o, callers: callers, operations: operationsOf(to.Document), known: newPool(to.Models), report: newReport(o.Seed)}
	f.judge = judge{document: to.Document, secrets: secretsOf(callers)}
	began := time.Now()
	var next atomic.Int64
	var sending sync.WaitGroup
	for range o.AtOnce {
		sending.Go(func() {
			line := wire{addr: to.Addr, patience: o.Patience}
			defer line.close()
			for i := next.Add(1); i <= int64(o.Requests) && ctx.Err() == nil; i = next.Add(1) {
				f.send(ctx, &line, uint64(i))
			}
		})
	}
	sending.Wait()
	f.report.took = time.Since(began)
	return f.report, ctx.Err()
}

// fuzzer is what one run shares.
type fuzzer struct {
	target     Target
	options    Options
	callers    []caller
	operations []operation
	known      *pool
	judge      judge
	report     *Report
}

// send draws, sends and judges one request.
func (f *fuzzer) send(ctx context.Context, line *wire, number uint64) {
	d := &draw{Rand: rand.New(rand.NewPCG(f.options.Seed, number)), known: f.known}
	r := d.request(f.operations, f.callers)
	began := time.Now()
	got, err := line.exchange(ctx, r)
	for again := 0; again < 3 && got.passing() && ctx.Err() == nil; again++ {
		f.report.repeat()
		time.Sleep(time.Second)
		got, err = line.exchange(ctx, r)
	}
	took := time.Since(began)
	var faults []string
	switch {
	case ctx.Err() != nil:
		return
	case err != nil && !r.hangsUp && !r.broken:
		faults = []string{"no answer: " + err.Error()}
	case err == nil && !r.hangsUp:
		faults = f.judge.look(r, got)
		f.known.learn(r.operation.path, got)
	}
	f.report.add(r, got, took, faults)
}
