package redisdb_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

func state(name, breaker string) rollup.ProviderState {
	return rollup.ProviderState{Name: name, Breaker: breaker, InFlight: 1, Limit: 8, Processes: 1}
}

// Every process reads what all have put up, as old as it is, and replaces only
// its own.
func TestProcessesReadEachOther(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	if all, err := db.Providers(t.Context()); err != nil || all == nil || len(all) != 0 {
		t.Errorf("before anybody said anything there are %v (%v)", all, err)
	}
	one := state("openai", rollup.BreakerOpen)
	one.NextProbeMS = 60_000
	if _, err := db.Exchange(t.Context(), "one", []rollup.ProviderState{one}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for time.Since(began) < 20*time.Millisecond { // so that it is older
		time.Sleep(time.Millisecond)
	}
	two := []rollup.ProviderState{state("anthropic", rollup.BreakerClosed), state("openai", rollup.BreakerClosed)}
	if _, err := db.Exchange(t.Context(), "two", []rollup.ProviderState{state("gone", rollup.BreakerClosed)}); err != nil {
		t.Fatal(err)
	}
	all, err := db.Exchange(t.Context(), "two", two)
	if err != nil || len(all) != 2 || !slices.EqualFunc(all["two"], two, func(a, b rollup.ProviderState) bool { return a.Name == b.Name && a.InFlight == b.InFlight }) {
		t.Fatalf("two reads %+v (%v)", all, err)
	}
	if got := all["one"][0]; got.NextProbeMS > 60_000-19 || got.NextProbeMS < 50_000 || got.BreakerForMS < 19 {
		t.Errorf("after 20 ms, two reads of one %+v", got)
	}
	sums, err := db.Providers(t.Context())
	if err != nil || len(sums) != 2 || sums[0].Name != "anthropic" || sums[0].Processes != 1 ||
		sums[1].Processes != 2 || sums[1].Breaker != rollup.BreakerOpen || sums[1].Limit != 16 {
		t.Errorf("in all there are %+v (%v)", sums, err)
	}
}

// What cannot be read, or seems to come from the future, is left out, and the
// rest is not.
func TestWhatCannotBeReadIsLeftOut(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	future := plain.Time(t.Context()).Val().Add(time.Hour)
	past := future.Add(-2 * time.Hour)
	for process, said := range map[string]string{
		"no time":    `[{"name":"a"}]`,
		"no JSON":    stamp(future.Add(-time.Hour)) + " {",
		"no list":    stamp(future.Add(-time.Hour)) + ` {"name":"a"}`,
		"the future": stamp(future) + ` [{"name":"a"}]`,
		"the past":   stamp(past) + ` [{"name":"a"}]`,
		"empty":      "",
	} {
		if err := plain.HSet(t.Context(), "busu:providers", process, said).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := db.Providers(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("of nothing, %+v is read (%v)", all, err)
	}
	if n := plain.HLen(t.Context(), "busu:providers").Val(); n != 6 {
		t.Errorf("reading leaves %d of 6", n)
	}
	all, err := db.Exchange(t.Context(), "well", []rollup.ProviderState{state("openai", rollup.BreakerClosed)})
	if err != nil || len(all) != 1 || len(all["well"]) != 1 {
		t.Errorf("beside nonsense, %+v is read (%v)", all, err)
	}
	if left := plain.HKeys(t.Context(), "busu:providers").Val(); slices.Contains(left, "the past") || slices.Contains(left, "the future") || slices.Contains(left, "empty") {
		t.Errorf("what is too old stays: %v", left)
	}
	if ttl := plain.PTTL(t.Context(), "busu:providers").Val(); ttl <= 0 || ttl > 5*time.Second {
		t.Errorf("without processes it all lives for %s", ttl)
	}
}

func stamp(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// A Redis that is gone is an error, and soon.
func TestExchangeWithoutRedis(t *testing.T) {
	t.Parallel()
	server := storetest.RedisServer(t)
	db, _ := openAt(t, server.URL)
	server.Kill(t)
	if _, err := db.Exchange(t.Context(), "one", nil); err == nil {
		t.Error("it was put up")
	}
	if _, err := db.Providers(t.Context()); err == nil {
		t.Error("it was read")
	}
}
