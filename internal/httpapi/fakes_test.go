package httpapi_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/rollup"
)

// fakeLedger keeps intents and facts, and refuses what the journal refuses.
type fakeLedger struct {
	refuseIntents, refuseFacts error // set before the first request
	recorded                   chan event.CompletionRecorded

	mu      sync.Mutex
	intents []event.CompletionRecorded
	facts   []event.CompletionRecorded
	verdict []event.FeedbackRecorded
}

func newLedger() *fakeLedger {
	return &fakeLedger{recorded: make(chan event.CompletionRecorded, 1024)}
}

func (l *fakeLedger) Intend(c *event.CompletionRecorded) error {
	if l.refuseIntents != nil {
		return l.refuseIntents
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.intents = append(l.intents, *c)
	return nil
}

func (l *fakeLedger) Record(f event.Fact) error {
	if l.refuseFacts != nil {
		return l.refuseFacts
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	head := f.Head()
	head.Journal, head.Seq = "test", int64(len(l.facts)+1)
	if err := f.Validate(); err != nil {
		return err
	}
	if v, ok := f.(*event.FeedbackRecorded); ok {
		l.verdict = append(l.verdict, *v)
		return nil
	}
	c := *f.(*event.CompletionRecorded)
	l.facts = append(l.facts, c)
	select {
	case l.recorded <- c:
	default:
	}
	return nil
}

func (l *fakeLedger) counts() (intents, facts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.intents), len(l.facts)
}

func (l *fakeLedger) only(t *testing.T) event.CompletionRecorded {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.intents) != 1 || len(l.facts) != 1 {
		t.Fatalf("%d intents and %d facts, want one of each", len(l.intents), len(l.facts))
	}
	return l.facts[0]
}

// counted counts the calls of a provider.
type counted struct {
	llm.Provider
	calls atomic.Int64
}

func (p *counted) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	p.calls.Add(1)
	return p.Provider.Complete(ctx, r)
}

// providerFunc is a provider in a test's words.
type providerFunc func(ctx context.Context, r llm.Request) (llm.Response, error)

func (f providerFunc) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	return f(ctx, r)
}

// fakeMetrics has one request of a second ago to tell of.
type fakeMetrics struct {
	err   error
	panic any
}

func (m fakeMetrics) Live(context.Context, string) (rollup.Snapshot, error) {
	if m.panic != nil {
		panic(m.panic)
	}
	minute, _ := m.Report(context.Background(), "", rollup.Windows()[0])
	totals := rollup.NewSums(sampleCells())
	s := rollup.NewSnapshot(minute, &totals, &rollup.Pipeline{StreamEntries: 3, Unread: 1, OldestMS: 12.5})
	s.Providers = []rollup.ProviderState{{Name: "simulated", Breaker: rollup.BreakerOpen, BreakerForMS: 1500, NextProbeMS: 3500,
		InFlight: 1, Limit: 64, Waiting: 2, OldestWaitMS: 12.5, Opened: 1, Shed: 3, Retries: 4, RateLimited: 5, Timeouts: 6, Processes: 2}}
	return s, m.err
}

func (m fakeMetrics) Report(_ context.Context, _ string, w rollup.Window) (rollup.Report, error) {
	return rollup.NewReport(w, sampleCells(), rollup.SourceRedis, sampleTime), m.err
}

func (m fakeMetrics) History(_ context.Context, _ string, s rollup.Span) (rollup.History, error) {
	if m.err != nil {
		return rollup.History{}, m.err
	}
	var pieces []rollup.Piece
	for d, c := range sampleCells() {
		for _, name := range []string{d.Name, d.Name + "2"} {
			d.Name = name
			pieces = append(pieces, rollup.Piece{Start: sampleTime.Unix(), Dim: d, Cell: *c, Latency: c.Latency.AppendPacked(nil)})
		}
	}
	return rollup.NewHistory(s, pieces, rollup.SourcePostgres, sampleTime)
}

var sampleTime = event.TimeOf([16]byte{0x01, 0x9b, 0x0e, 0x4e, 0x2b, 0x8a})

func sampleCells() rollup.Cells {
	cells := rollup.Cells{}
	for _, d := range []rollup.Dim{{Kind: rollup.KindAll}, {Kind: rollup.KindStrategy, Name: "complexity"},
		{Kind: rollup.KindModel, Name: "small"}, {Kind: rollup.KindProvider, Name: "simulated"},
		{Kind: rollup.KindConfidence, Name: "high"}, {Kind: rollup.KindCache, Name: "miss"},
		{Kind: rollup.KindError, Name: "timeout"}} {
		var sketch, overhead rollup.Sketch
		sketch.Count(rollup.Bin(812_000), 1)
		overhead.Count(rollup.Bin(90), 1)
		cells.Add(d, rollup.Cell{Requests: 2, Errors: 1, CostNanos: 21_300, BaselineNanos: 880_000,
			TokensIn: 12, TokensOut: 80, Latency: sketch, TTFT: sketch, Overhead: overhead})
	}
	return cells
}
