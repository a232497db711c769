package app

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/requests"
)

// archive is where requests are recorded; see postgres.
type archive interface {
	FindRequests(ctx context.Context, project string, q requests.Query, patience time.Duration) (requests.Page, error)
	Request(ctx context.Context, project string, id uuid.UUID) (requests.Record, error)
}

// records looks requests up. However many look, a few at a time do: the worker
// needs the same database.
type records struct {
	archive archive
	prices  prices
	turns   turns
}

const (
	lookersAtOnce = 3
	lookWithin    = 3 * time.Second
	// pagePatience is how long a page looks for what is rare, before it tells
	// how far it has come.
	pagePatience = 60 * time.Millisecond
	// persistsWithin is how long an answer takes to the database when nothing
	// is wrong: who asks sooner waits.
	persistsWithin = time.Second
	lookAgain      = 100 * time.Millisecond
)

func newRecords(a archive, p prices) *records {
	return &records{archive: a, prices: p, turns: make(turns, lookersAtOnce)}
}

// Find implements httpapi.Requests.
func (r *records) Find(ctx context.Context, project string, q requests.Query) (page requests.Page, err error) {
	err = r.turns.take(ctx, lookWithin, func(ctx context.Context) error {
		page, err = r.archive.FindRequests(ctx, project, q, pagePatience)
		return err
	})
	return page, err
}

// Request implements httpapi.Requests. One that arrived a moment ago is waited
// for, so that whoever has an answer can ask for its record at once.
func (r *records) Request(ctx context.Context, project string, id uuid.UUID) (requests.Record, error) {
	for began := time.Now(); ; {
		var record requests.Record
		err := r.turns.take(ctx, lookWithin, func(ctx context.Context) (err error) {
			record, err = r.archive.Request(ctx, project, id)
			return err
		})
		if errors.Is(err, requests.ErrUnknown) && mayCome(id) && time.Since(began) < persistsWithin {
			select {
			case <-ctx.Done():
				return record, ctx.Err()
			case <-time.After(lookAgain):
			}
			continue
		}
		if err == nil {
			r.prices.explain(&record)
		}
		return record, err
	}
}

// mayCome reports whether a request of this id may just have been answered.
func mayCome(id uuid.UUID) bool {
	const longest = 10 * time.Minute // that an answer takes
	age := time.Since(event.TimeOf(id))
	return id.Version() == 7 && age < longest && age > -time.Second
}

// prices are those of models by version, then model: of the versions that the
// configuration still knows.
type prices map[string]map[string]pricing.Price

func pricesOf(g *gateway.Gateway) prices {
	all := prices{}
	offers := append([]gateway.Offer{{Candidates: g.Candidates, PriceVersion: g.PriceVersion}}, g.Later...)
	for _, o := range offers {
		all[o.PriceVersion] = map[string]pricing.Price{}
		for _, c := range o.Candidates {
			all[o.PriceVersion][c.Model.ID] = c.Price
		}
	}
	return all
}

// explain shows how a cost came about, where the prices of then are known.
func (p prices) explain(r *requests.Record) {
	if r.Cost.PriceVersion == nil || r.Model == nil {
		return
	}
	if price, ok := p[*r.Cost.PriceVersion][*r.Model]; ok {
		r.Explain(price)
	}
}
