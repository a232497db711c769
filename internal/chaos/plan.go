package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Kinds of faults.
const (
	FaultKill  = "kill -9" // and a start again after For
	FaultStop  = "SIGSTOP" // and SIGCONT after For
	FaultTerm  = "SIGTERM" // and a start again after For
	FaultFlush = "FLUSHALL"
	FaultClock = "clock step" // of the whole machine by By, and back after For
)

// Fault is one thing that goes wrong.
type Fault struct {
	After   time.Duration // the fault before
	Kind    string
	Targets []string // at once
	For     time.Duration
	By      time.Duration
}

func (f Fault) String() string {
	if f.Kind == FaultClock {
		return fmt.Sprintf("%s by %s for %s", f.Kind, f.By, f.For)
	}
	return fmt.Sprintf("%s %s for %s", f.Kind, strings.Join(f.Targets, "+"), f.For)
}

// targets are what faults happen to, the stores more often; together lists those that also fail
// together, as what shares a machine does.
var (
	targets = []string{"api-1", "api-2", "worker-1", "worker-2", "aggregator-1", "aggregator-2",
		"redis", "redis", "redis", "postgres", "postgres"}
	// mostlyRedis are the targets where others take over from Redis: that is what is looked at.
	mostlyRedis = append([]string{"redis", "redis", "redis", "redis", "redis", "redis", "redis"}, targets...)
	together    = [][]string{{"redis", "postgres"}, {"worker-1", "worker-2"}, {"aggregator-1", "aggregator-2"},
		{"api-1", "redis"}, {"worker-1", "redis"}, {"worker-2", "postgres"}, {"aggregator-1", "redis"},
		{"api-2", "worker-1", "aggregator-2", "redis", "postgres"}}
)

// Plan draws faults until there are enough kills. It depends on the options
// alone.
func Plan(o Options) []Fault {
	random := rand.New(rand.NewPCG(o.Seed, 0x63616f73))
	var faults []Fault
	end := finale(o)
	drawn := o.Kills
	for _, f := range end {
		if f.Kind == FaultKill {
			drawn -= len(f.Targets)
		}
	}
	for kills := 0; kills < drawn; {
		f := draw(random, o)
		if f.Kind == FaultKill {
			f.Targets = f.Targets[:min(len(f.Targets), drawn-kills)]
			kills += len(f.Targets)
		}
		faults = append(faults, f)
	}
	return append(faults, end...)
}

// lastsFor is how long faults go on from the beginning of the load.
func lastsFor(faults []Fault) time.Duration {
	all := warmUp
	for _, f := range faults {
		all += f.After
	}
	return all
}

// calm is how long it takes until everybody is back from all other faults.
const calm = 4 * time.Second

// finale comes last: workers die with facts in hand that cannot be stored yet.
// An API that restarts would ship those again, and hide a worker that
// acknowledges too early.
func finale(o Options) []Fault {
	workers := []string{"worker-1", "worker-2"}
	end := []Fault{
		{After: calm, Kind: FaultStop, Targets: []string{"postgres"}, For: 2 * time.Second},
		{After: time.Second, Kind: FaultKill, Targets: workers[:min(len(workers), o.Kills)], For: 500 * time.Millisecond},
	}
	if !o.Clock {
		return end
	}
	// The farthest steps, with somebody dying in them.
	back := Fault{After: calm, Kind: FaultClock, Targets: []string{theClock}, By: -farthest, For: 3 * time.Second}
	ahead := Fault{After: time.Second, Kind: FaultClock, Targets: []string{theClock}, By: farthest, For: 4 * time.Second}
	return append([]Fault{back}, append(end, ahead)...)
}

const theClock = "clock"

// Out of a hundred faults.
const (
	shareStop  = 22
	shareTerm  = 10
	shareFlush = 8
	shareClock = 12
	shareMany  = 15 // of the others, several at once

	shareTakeover = 70 // of those of a Redis that others take over from
)

func draw(random *rand.Rand, o Options) Fault {
	f := Fault{Kind: FaultKill, For: time.Duration(random.Int64N(int64(2 * time.Second)))}
	f.After = min(time.Duration(random.ExpFloat64()*float64(o.Pause)), 3*o.Pause)
	if random.IntN(100) < shareMany {
		f.Targets = together[random.IntN(len(together))]
	} else {
		from := targets
		if o.Replicated() {
			from = mostlyRedis
		}
		target := random.IntN(len(from))
		f.Targets = from[target : target+1]
	}
	switch kind := random.IntN(100); {
	case kind < shareStop:
		f.Kind, f.For = FaultStop, 500*time.Millisecond+time.Duration(random.Int64N(int64(2500*time.Millisecond)))
	case kind < shareStop+shareTerm:
		f.Kind = FaultTerm
	case kind < shareStop+shareTerm+shareFlush && o.Flush:
		f.Kind, f.Targets, f.For = FaultFlush, []string{"redis"}, 0
	case kind >= 100-shareClock && o.Clock:
		f.Kind, f.Targets = FaultClock, []string{theClock}
		f.By = time.Duration(random.Int64N(int64(2*farthest))) - farthest
		f.For = time.Second + time.Duration(random.Int64N(int64(3*time.Second)))
	}
	if o.Replicated() && slices.Contains(f.Targets, "redis") && f.Kind != FaultFlush && len(f.Targets) == 1 && random.IntN(100) < shareTakeover {
		f.For += takeover
	}
	f.After, f.For, f.By = f.After.Round(time.Millisecond), f.For.Round(time.Millisecond), f.By.Round(time.Millisecond)
	return f
}
