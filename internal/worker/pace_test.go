package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/worker"
)

// paced is a stream whose entries come at times, and stores that take their
// time. Its clock is synctest's.
type paced struct {
	readFor, persistFor, ackFor time.Duration

	mu      sync.Mutex
	coming  []event.Entry
	due     []time.Time
	given   int
	acked   int
	burials int
	buried  int
	lags    []time.Duration // of stored facts
	ended   time.Time       // of the last acknowledgement
}

const mostRead = 300

func (p *paced) add(e event.Entry, due time.Time) {
	p.coming, p.due = append(p.coming, e), append(p.due, due)
}

func (p *paced) Read(context.Context, time.Time) ([]event.Entry, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from := p.given
	p.mu.Unlock()
	time.Sleep(p.readFor)
	p.mu.Lock()
	if from == len(p.due) {
		p.mu.Unlock()
		time.Sleep(200 * time.Millisecond)
		p.mu.Lock()
		return nil, nil
	}
	p.mu.Unlock()
	time.Sleep(time.Until(p.due[from]))
	p.mu.Lock()
	for p.given < len(p.due) && p.given-from < mostRead && !p.due[p.given].After(time.Now()) {
		p.given++
	}
	return p.coming[from:p.given], nil
}

func (p *paced) Persist(_ context.Context, facts []*event.CompletionRecorded) ([]uuid.UUID, error) {
	time.Sleep(p.persistFor)
	p.mu.Lock()
	defer p.mu.Unlock()
	added := make([]uuid.UUID, len(facts))
	for i, f := range facts {
		added[i] = f.ID
		p.lags = append(p.lags, time.Since(p.due[f.Seq-1]))
	}
	return added, nil
}

func (p *paced) Discard(context.Context, event.Fact) error { return nil }

func (p *paced) Ack(_ context.Context, entries []event.Entry) error {
	time.Sleep(p.ackFor)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked += len(entries)
	p.ended = time.Now()
	return nil
}

func (p *paced) Bury(_ context.Context, refused []event.Refused) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.burials++
	p.buried += len(refused)
	return nil
}

// work lets a worker work until all is acknowledged or buried.
func (p *paced) work(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	w := &worker.Worker[*event.CompletionRecorded]{Decode: event.Entry.Completion, Source: p, Store: p, Unstorable: func(error) bool { return false }, Log: slog.New(slog.DiscardHandler)}
	go func() { ended <- w.Run(ctx) }()
	for all := false; !all; {
		time.Sleep(time.Second)
		p.mu.Lock()
		all = p.acked+p.buried == len(p.due)
		p.mu.Unlock()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// fact encodes the fact with a seq.
func fact(t *testing.T, r *rand.Rand, seq int) event.Entry {
	t.Helper()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f := eventtest.Completion(r, at)
	eventtest.Number("j", int64(seq), f)
	body, err := event.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	return event.Entry{Lane: lane, ID: fmt.Sprintf("%d-%d", at.UnixMilli(), seq), Body: body}
}

// What arrives while a batch is stored is in the next one, not in that after it.
func TestAFactWaitsForOneBatchAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const takes = 100 * time.Millisecond
		p := &paced{persistFor: takes}
		r := rand.New(rand.NewPCG(1, 1))
		for i := range 200 {
			p.add(fact(t, r, i+1), time.Now().Add(time.Duration(i)*10*time.Millisecond))
		}
		p.work(t)
		for seq, lag := range p.lags {
			if lag > 2*takes {
				t.Fatalf("fact %d was stored after %s, while storing a batch takes %s", seq+1, lag, takes)
			}
		}
	})
}

// With a backlog, nothing but the database is waited for.
func TestABacklogIsReadAndAcknowledgedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const takes, batches = 100 * time.Millisecond, 10
		p := &paced{readFor: takes, persistFor: takes, ackFor: takes}
		r := rand.New(rand.NewPCG(2, 2))
		began := time.Now()
		for i := range batches * mostRead {
			p.add(fact(t, r, i+1), began)
		}
		p.work(t)
		if took := p.ended.Sub(began); took != (batches+2)*takes {
			t.Errorf("%d batches took %s, each %s to store and as long to read and to acknowledge", batches, took, takes)
		}
	})
}

func TestABatchIsBuriedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := new(paced)
		r := rand.New(rand.NewPCG(3, 3))
		for i := range mostRead {
			e := fact(t, r, i+1)
			if i%10 == 0 {
				e.Body = e.Body[1:]
			}
			p.add(e, time.Now())
		}
		p.work(t)
		if p.burials != 1 || p.buried != mostRead/10 {
			t.Errorf("%d entries were buried in %d steps", p.buried, p.burials)
		}
	})
}
