package app

import (
	"context"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/experiment"
)

// Plan implements httpapi.Starter.
func (x *experiments) Plan(ctx context.Context, project string, s experiment.Start, effect float64) (experiment.Plan, error) {
	if err := unserved(&s); err != nil {
		return experiment.Plan{}, err
	}
	if s.Name == "" {
		s.Name = "plan"
	}
	g := experiment.Given{ID: "plan", Project: project, Salt: "plan", At: time.Now(), Segment: experiment.Segment{From: 0, To: layerShare(&s)}, SlowUS: 1}
	draft, err := experiment.New(s, g, x.known)
	if err != nil {
		return experiment.Plan{}, err
	}
	past := x.past.of(project, time.Duration(draft.Observation), func() pastTraffic {
		t, slow, noted := x.traffic(context.WithoutCancel(ctx), // others wait for it, and it is kept
			project, time.Duration(draft.Observation))
		return pastTraffic{t, slow, noted, time.Now()}
	})
	g.SlowUS = past.slowUS
	e, err := experiment.New(s, g, x.known)
	if err != nil {
		return experiment.Plan{}, err
	}
	p := e.Plan(past.traffic, effect)
	p.Warnings = append(past.noted[:len(past.noted):len(past.noted)], p.Warnings...)
	return p, nil
}

// pastWeeks keeps what was read of past traffic for a moment: plans are asked for
// while people type, and each would read up to fifty thousand rows.
type pastWeeks struct {
	mu   sync.Mutex
	kept map[pastKey]pastTraffic
}

type pastKey struct {
	project     string
	observation time.Duration
}

type pastTraffic struct {
	traffic experiment.Traffic
	slowUS  int64
	noted   []string
	at      time.Time
}

const (
	pastFresh = 30 * time.Second
	mostPasts = 1000
)

// of gives what is kept, or else what read gives, which is called by one at a time.
func (w *pastWeeks) of(project string, observation time.Duration, read func() pastTraffic) pastTraffic {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := pastKey{project, observation}
	if p, ok := w.kept[key]; ok && time.Since(p.at) < pastFresh {
		return p
	}
	if w.kept == nil || len(w.kept) >= mostPasts {
		w.kept = map[pastKey]pastTraffic{}
	}
	w.kept[key] = read()
	return w.kept[key]
}
