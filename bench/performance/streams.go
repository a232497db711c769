package performance

import (
	"context"

	"github.com/busuhq/busu/bench/bare"
	"github.com/busuhq/busu/bench/load"
	"github.com/busuhq/busu/bench/measure"
)

// Names of scenarios that goals refer to.
const (
	streamsMock    = "32 streams: upstream alone"
	streamsReverse = "32 streams: net/http ReverseProxy"
	streamsBusu    = "32 streams: busu, routed"
)

// streams are answers in pieces, one after the other as fast as they come.
func (b *bench) streams() []scenario {
	beside := func(name, kind string) scenario {
		return scenario{name, func(ctx context.Context) (measure.Figures, error) {
			t, err := b.server(ctx, kind)
			if err != nil {
				return nil, err
			}
			a := plain()
			a.stream = true
			return sound(b.closed(ctx, t, a.recipe(b.fresh(), 0), load.Load{Streams: true}))
		}}
	}
	return []scenario{
		beside(streamsMock, bare.Mock),
		beside(streamsReverse, bare.ReverseProxy),
		{streamsBusu, func(ctx context.Context) (measure.Figures, error) {
			r, err := b.ready(ctx)
			if err != nil {
				return nil, err
			}
			a := r.everythingOn()
			a.stream = true
			return b.profiled(r, r.api, streamsBusu, func() (measure.Figures, error) {
				return sound(b.closed(ctx, r.target(), a.recipe(b.fresh(), 0), load.Load{Streams: true, Holds: "X-Busu-Strategy: hybrid"}))
			})
		}},
	}
}
