package rollup_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/busuhq/busu/internal/rollup"
)

func TestMergeProviders(t *testing.T) {
	t.Parallel()
	got := rollup.MergeProviders(
		[]rollup.ProviderState{
			{Name: "openai", Breaker: rollup.BreakerHalfOpen, BreakerForMS: 70_000, InFlight: 1, Limit: 10, Opened: 1, Processes: 1},
			{Name: "anthropic", Breaker: rollup.BreakerClosed, BreakerForMS: 5, InFlight: 3, Limit: 64, Waiting: 2, OldestWaitMS: 40,
				Shed: 1, Retries: 2, RateLimited: 3, Timeouts: 4, Processes: 1}},
		[]rollup.ProviderState{{Name: "openai", Breaker: rollup.BreakerOpen, BreakerForMS: 20, NextProbeMS: 9000, Limit: 4, Processes: 1}},
		nil,
		[]rollup.ProviderState{{Name: "openai", Breaker: rollup.BreakerOpen, BreakerForMS: 10, NextProbeMS: 4000, Limit: 5, Processes: 1},
			{Name: "anthropic", Breaker: rollup.BreakerClosed, BreakerForMS: 900, InFlight: 3, Limit: 64, Waiting: 1, OldestWaitMS: 50,
				Opened: 5, Shed: 1, Retries: 2, RateLimited: 3, Timeouts: 4, Processes: 1}},
	)
	want := []rollup.ProviderState{
		{Name: "anthropic", Breaker: rollup.BreakerClosed, BreakerForMS: 900, InFlight: 6, Limit: 128, Waiting: 3, OldestWaitMS: 50,
			Opened: 5, Shed: 2, Retries: 4, RateLimited: 6, Timeouts: 8, Processes: 2},
		{Name: "openai", Breaker: rollup.BreakerOpen, BreakerForMS: 20, NextProbeMS: 4000, InFlight: 1, Limit: 19, Opened: 1, Processes: 3},
	}
	if !slices.Equal(got, want) {
		t.Errorf("merged\n got %+v\nwant %+v", got, want)
	}
	if none, err := json.Marshal(rollup.MergeProviders()); err != nil || string(none) != "[]" {
		t.Errorf("of no process: %s (%v)", none, err)
	}
}

// The order in which processes are read makes no difference, and no field is
// left out of the sum.
func TestMergeProvidersInAnyOrder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 0))
	for range 100 {
		var all [][]rollup.ProviderState
		for range 4 {
			s := rollup.ProviderState{Name: "p", Breaker: []string{rollup.BreakerClosed, rollup.BreakerHalfOpen, rollup.BreakerOpen}[r.IntN(3)]}
			v := reflect.ValueOf(&s).Elem()
			for i := range v.NumField() {
				if f := v.Field(i); f.CanInt() {
					f.SetInt(1 + r.Int64N(9))
				} else if f.CanFloat() {
					f.SetFloat(float64(1 + r.IntN(9)))
				}
			}
			all = append(all, []rollup.ProviderState{s})
		}
		want := rollup.MergeProviders(all...)
		v := reflect.ValueOf(want[0])
		for i := range v.NumField() {
			if v.Field(i).CanInt() && v.Field(i).Int() < 4 {
				t.Errorf("of four, %s is %d", v.Type().Field(i).Name, v.Field(i).Int())
			}
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if got := rollup.MergeProviders(all...); !slices.Equal(got, want) {
			t.Errorf("in another order\n got %+v\nwant %+v", got, want)
		}
	}
}

func TestAged(t *testing.T) {
	t.Parallel()
	s := rollup.ProviderState{BreakerForMS: 10, NextProbeMS: 100, Waiting: 1, OldestWaitMS: 3}
	if got := s.Aged(40); got.BreakerForMS != 50 || got.NextProbeMS != 60 || got.OldestWaitMS != 43 {
		t.Errorf("40 ms later it is %+v", got)
	}
	s.Waiting, s.OldestWaitMS = 0, 0
	if got := s.Aged(400); got.NextProbeMS != 0 || got.OldestWaitMS != 0 {
		t.Errorf("400 ms later it is %+v", got)
	}
}
