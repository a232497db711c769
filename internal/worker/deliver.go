package worker

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/webhook"
)

// Post holds messages that are to be delivered.
type Post interface {
	// ClaimWebhooks gives up to most messages that are due, to nobody else for so
	// long.
	ClaimWebhooks(ctx context.Context, now time.Time, most int, lasts time.Duration) ([]webhook.Claim, error)
	RecordAttempt(ctx context.Context, id uuid.UUID, a webhook.Attempt, next webhook.Next) error
}

// Courier sends a message once. It ends soon after ctx does.
type Courier interface {
	Send(ctx context.Context, m webhook.Claim, keys webhook.Keys, now time.Time) webhook.Attempt
}

// Deliverer delivers what waits. Any number of processes may do it at once: each
// message is claimed by one of them for as long as an attempt can take, so it is
// sent once, unless the process dies before it has written down that it was.
type Deliverer struct {
	Post    Post
	Courier Courier
	Keys    func(context.Context) (webhook.Keys, error)
	Log     *slog.Logger

	stats DeliverStats
}

// DeliverStats count what a deliverer has done. They are safe to read at any
// time.
type DeliverStats struct {
	Delivered atomic.Int64 // messages
	Failures  atomic.Int64 // attempts that failed
	GivenUp   atomic.Int64 // messages
}

// Stats gives the counters.
func (d *Deliverer) Stats() *DeliverStats { return &d.stats }

const (
	deliverEvery  = time.Second
	claimLasts    = time.Minute // longer than an attempt and its record take
	claimWithin   = 5 * time.Second
	recordWithin  = 2 * time.Second  // one try, of which there is one also when the process is to stop
	recordFor     = 40 * time.Second // with an attempt before it less than a claim lasts
	sendsAtOnce   = 16
	finishSending = 2 * time.Second // when the process is to stop: what was sent half is sent again
)

// Run delivers until ctx ends. PostgreSQL being away only makes it wait, and so
// does a slow receiver, but only those who wait for it.
func (d *Deliverer) Run(ctx context.Context) error {
	tick := time.NewTicker(deliverEvery)
	defer tick.Stop()
	var sending sync.WaitGroup
	defer sending.Wait()
	slots := make(chan struct{}, sendsAtOnce)
	for {
		if err := d.step(ctx, time.Now(), slots, &sending); err != nil && ctx.Err() == nil {
			d.Log.Debug("webhooks have to wait", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// step begins to send as much as there is room for.
func (d *Deliverer) step(ctx context.Context, now time.Time, slots chan struct{}, sending *sync.WaitGroup) error {
	free := cap(slots) - len(slots) // nobody else takes any
	if free == 0 {
		return nil
	}
	claiming, cancel := context.WithTimeout(ctx, claimWithin)
	defer cancel()
	keys, err := d.Keys(claiming)
	if err != nil {
		return err
	}
	claims, err := d.Post.ClaimWebhooks(claiming, now, free, claimLasts)
	if err != nil {
		return err
	}
	for _, c := range claims {
		slots <- struct{}{}
		sending.Go(func() {
			defer func() { <-slots }()
			d.deliver(ctx, c, keys)
		})
	}
	return nil
}

// deliver sends one message and writes down what came of it.
func (d *Deliverer) deliver(ctx context.Context, c webhook.Claim, keys webhook.Keys) {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(finishSending, cancel) })()
	a := d.Courier.Send(sending, c, keys, time.Now())
	next := webhook.After(a, time.Now(), rand.Float64())
	if err := d.record(ctx, c.ID, a, next); err != nil {
		d.Log.Warn("what came of a webhook cannot be written down: it will be sent again", "webhook_id", c.ID, "err", err)
		return
	}
	d.count(c, a, next)
}

// record tries for as long as the message is surely ours.
func (d *Deliverer) record(ctx context.Context, id uuid.UUID, a webhook.Attempt, next webhook.Next) error {
	end := time.Now().Add(recordFor)
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		try, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
		err := d.Post.RecordAttempt(try, id, a, next)
		cancel()
		if err == nil || time.Now().Add(wait).After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func (d *Deliverer) count(c webhook.Claim, a webhook.Attempt, next webhook.Next) {
	log := d.Log.With("webhook_id", c.ID, "type", c.Kind, "about", c.Subject, "attempt", a.Number)
	switch next.State {
	case webhook.Delivered:
		d.stats.Delivered.Add(1)
	case webhook.Failed:
		d.stats.Failures.Add(1)
		d.stats.GivenUp.Add(1)
		log.Warn("a webhook could not be delivered and is given up: see busu experiments deliveries", "url", webhook.Shown(c.URL), "err", a.Error)
	case webhook.Waiting:
		d.stats.Failures.Add(1)
		log.Debug("a webhook was not taken and is tried again", "err", a.Error, "at", next.At)
	}
}
