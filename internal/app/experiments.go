package app

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/webhook"
)

// experiments starts experiments, and tells how they go.
type experiments struct {
	*pages
	*listing
	past pastWeeks

	db     *postgres.DB
	known  experiment.Known
	trials *gateway.Trials // of this process
	log    *slog.Logger
}

const (
	pastWithin = 3 * time.Second
	fewUsers   = 30 // of which nothing can be said
)

// startTrials follows the experiments, whose arms the gateway serves.
func startTrials(cfg config.Config, g *gateway.Gateway, s *stores, m *migration, log *slog.Logger, life *lifecycle) *experiments {
	g.Trials, g.DefaultExperiment = new(gateway.Trials), cfg.Routing.DefaultExperiment
	life.start("experiments", m.then(func(ctx context.Context) error { return g.Trials.Follow(ctx, s.postgres, log) }))
	names := namesOf(g)
	known := experiment.Known{Strategies: names.Strategies, Models: names.Models, Webhooks: cfg.Webhooks.Allow,
		Learning: learners()}
	return &experiments{pages: newPages(s.postgres, s.redis, log), listing: newListing(s.postgres, log), db: s.postgres, known: known, trials: g.Trials, log: log}
}

// Start implements httpapi.Starter.
func (x *experiments) Start(ctx context.Context, project, by string, s experiment.Start) (experiment.Started, error) {
	if err := unserved(&s); err != nil {
		return experiment.Started{}, err
	}
	g := experiment.Given{ID: uuid.Must(uuid.NewV7()).String(), Project: project, Salt: rand.Text(), At: time.Now().UTC().Truncate(time.Millisecond),
		Segment: experiment.Segment{From: 0, To: 1}, SlowUS: 1}
	draft, err := experiment.New(s, g, x.known)
	if err != nil {
		return experiment.Started{}, err
	}
	traffic, slow, noted := x.traffic(ctx, project, time.Duration(draft.Observation))
	g.SlowUS = slow
	e, err := x.db.StartExperiment(ctx, project, s.Layer, by, func(taken []experiment.Segment) (experiment.Experiment, error) {
		if s.Layer != "" {
			if g.Segment, err = experiment.FreeSegment(taken, layerShare(&s)); err != nil {
				return draft, document.Invalid("layer_share", "finds no room: %s", err)
			}
		}
		return experiment.New(s, g, x.known)
	})
	if err != nil {
		return experiment.Started{}, err
	}
	started := experiment.Started{Status: experiment.Status{Experiment: e, State: experiment.StateRunning}, Plan: e.Plan(traffic, 0)}
	started.Warnings = append(noted, started.Warnings...)
	x.trials.Add(started.Status)
	return started, nil
}

// unserved refuses what this build does not do, rather than do without it.
func unserved(s *experiment.Start) error {
	var f document.Faults
	if s.Learn == "" {
		s.Learn = experiment.LearnPinned
	} else if s.Learn == experiment.LearnOwn {
		f.Add(document.CodeValue, "learn", "cannot be own in this release: arms decide by what the project has learned, so leave it out")
	}
	for _, d := range []*experiment.Duration{s.Observation, s.FeedbackWindow} { // requests are dated to the millisecond
		if d != nil {
			*d = experiment.Duration(time.Duration(*d).Truncate(time.Millisecond))
		}
	}
	return f.Err()
}

func layerShare(s *experiment.Start) float64 {
	if s.LayerShare == nil {
		return 1
	}
	return *s.LayerShare
}

// traffic is that of the last week, or a usual one where too little is known.
func (x *experiments) traffic(ctx context.Context, project string, observation time.Duration) (t experiment.Traffic, slowUS int64, noted []string) {
	ctx, cancel := context.WithTimeout(ctx, pastWithin)
	defer cancel()
	past, err := x.db.Past(ctx, project, time.Now(), observation)
	if err != nil {
		x.log.Debug("past traffic cannot be read", "err", err)
	}
	if err != nil || len(past.Users) < fewUsers {
		return experiment.UsualGuess().Traffic(), past.SlowUS, []string{"too little is known of your traffic: what is expected is a guess about usual users"}
	}
	const day = 24 * time.Hour
	perDay := float64(len(past.Users)) / (float64(max(past.Within, time.Hour)) / float64(day))
	return experiment.TrafficOf(experiment.TallyOf(past.Users), perDay), past.SlowUS, nil
}

// Stop implements httpapi.Starter.
func (x *experiments) Stop(ctx context.Context, project, by, id string) (experiment.Status, error) {
	s, err := x.db.StopExperiment(ctx, project, id, by)
	if err == nil {
		x.trials.Add(s)
		x.outdate(ctx, project, id)
	}
	return s, err
}

// Experiment implements httpapi.Experiments.
func (x *experiments) Experiment(ctx context.Context, project, id string) (experiment.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, listWithin)
	defer cancel()
	return x.db.Experiment(ctx, project, id)
}

// Deliveries implements httpapi.Deliveries.
func (x *experiments) Deliveries(ctx context.Context, project, id string) ([]webhook.Delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, listWithin)
	defer cancel()
	if _, err := x.db.Experiment(ctx, project, id); err != nil {
		return nil, err
	}
	return x.db.Deliveries(ctx, project, id)
}
