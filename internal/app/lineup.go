package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/lineup"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/routing"
	"github.com/busuhq/busu/internal/system"
)

// lineups tells of the models, from Redis and from PostgreSQL.
type lineups struct {
	models   []lineup.Model
	baseline string
	strategy string // whose price is the live one
	metrics  httpapi.Metrics
	rows     judgements
	kept     *readings[judgement] // by project and window
	log      *slog.Logger
}

// judgements is what PostgreSQL knows of models; see postgres.
type judgements interface {
	Judged(ctx context.Context, project string, from time.Time) (lineup.Judged, error)
	Choices(ctx context.Context, project, strategy string, from time.Time, most int) ([]lineup.Decision, error)
	Snapshots(ctx context.Context, l learning.Learner, most int) ([]learning.Snapshot, error)
}

// judgement is what is known of a project's models.
type judgement struct {
	judged  lineup.Judged
	learned []system.Snapshot
	curve   *lineup.Curve
}

const (
	judgeWithin   = 5 * time.Second
	judgeFresh    = 2 * time.Second
	judgeRest     = 20
	mostDecisions = 1000
)

func newLineups(cfg config.Config, g *gateway.Gateway, m httpapi.Metrics, rows judgements, log *slog.Logger) *lineups {
	l := &lineups{baseline: g.Baseline.Model.ID, strategy: cfg.Routing.Strategy, metrics: m, rows: rows,
		kept: newReadings[judgement](judgeFresh, judgeRest, judgeWithin), log: log}
	if !slices.Contains(learners(), l.strategy) {
		l.strategy = config.StrategyHybrid
	}
	for _, c := range g.Candidates {
		l.models = append(l.models, modelOf(c, c.Model.ID == l.baseline))
	}
	return l
}

func modelOf(c routing.Candidate, baseline bool) lineup.Model {
	m := lineup.Model{ID: c.Model.ID, Provider: c.Model.Provider, Upstream: c.Model.Upstream, Purpose: string(llm.PurposeChat),
		Formats: []string{}, Lacks: []string{}, Baseline: baseline, Price: lineup.PriceOf(c.Price)}
	if !c.Model.Chats() {
		m.Purpose = string(c.Model.Purpose)
	} else if c.Model.Tier != "" {
		m.Tier = new(string(c.Model.Tier))
	}
	if c.Model.ContextTokens > 0 {
		m.ContextTokens = &c.Model.ContextTokens
	}
	for format, name := range map[llm.Format]string{llm.FormatChat: "chat", llm.FormatMessages: "messages", llm.FormatEmbeddings: "embeddings"} {
		if c.Speaks(format) && (format == llm.FormatEmbeddings) != c.Model.Chats() {
			m.Formats = append(m.Formats, name)
		}
	}
	for ability, name := range map[llm.Ability]string{llm.AbilityTools: "tools", llm.AbilityImages: "images", llm.AbilityJSON: "json"} {
		if !c.Model.Can(ability) {
			m.Lacks = append(m.Lacks, name)
		}
	}
	slices.Sort(m.Formats)
	slices.Sort(m.Lacks)
	return m
}

// Lineup implements httpapi.Lineup.
func (l *lineups) Lineup(ctx context.Context, project string, w rollup.Window) (lineup.Report, error) {
	report, err := l.metrics.Report(ctx, project, w)
	if err != nil {
		return lineup.Report{}, err
	}
	r := lineup.Report{BaselineModel: l.baseline, Models: slices.Clone(l.models), Degraded: []string{}, Learned: []system.Snapshot{}}
	j, err := l.kept.get(project+"\x00"+w.Name, func(ctx context.Context) (judgement, error) { return l.judge(ctx, project, w) })
	if err != nil {
		l.log.Debug("what is known of models cannot be read", "err", err)
		r.Degraded = append(r.Degraded, "postgres")
	} else {
		r.Learned, r.Curve = j.learned, j.curve
	}
	r.Fill(report, j.judged)
	l.addBreakers(ctx, project, r.Models)
	return r, nil
}

// addBreakers says how the models' providers are, where Redis knows.
func (l *lineups) addBreakers(ctx context.Context, project string, models []lineup.Model) {
	live, err := l.metrics.Live(ctx, project)
	if err != nil {
		return
	}
	for _, p := range live.Providers {
		for i := range models {
			if models[i].Provider == p.Name {
				models[i].Breaker = new(p.Breaker)
			}
		}
	}
}

// judge reads what is known of a project's models.
func (l *lineups) judge(ctx context.Context, project string, w rollup.Window) (j judgement, err error) {
	from := w.From(time.Now())
	if j.judged, err = l.rows.Judged(ctx, project, from); err != nil {
		return j, err
	}
	j.learned = []system.Snapshot{}
	for _, strategy := range learners() {
		newest, err := l.rows.Snapshots(ctx, learning.Learner{Project: project, Strategy: strategy}, 1)
		if err != nil {
			return j, err
		}
		for _, s := range newest {
			j.learned = append(j.learned, snapshotOf(s))
		}
	}
	choices, err := l.rows.Choices(ctx, project, l.strategy, from, mostDecisions)
	if err != nil {
		return j, err
	}
	j.curve = lineup.NewCurve(choices, l.strategy, lambdaOf(j.learned, l.strategy))
	return j, nil
}

// lambdaOf is the price that a strategy goes by; 0 before it has learned.
func lambdaOf(learned []system.Snapshot, strategy string) float64 {
	for _, s := range learned {
		if s.Strategy == strategy {
			return s.Lambda
		}
	}
	return 0
}

func snapshotOf(s learning.Snapshot) system.Snapshot {
	n := system.Snapshot{Project: s.Project, Strategy: s.Strategy, Number: s.Number, At: s.At.UTC(), Verdicts: s.Verdicts, Weight: s.Weight, Lambda: s.Lambda}
	if s.RolledBackTo > 0 {
		n.RolledBackTo = &s.RolledBackTo
	}
	return n
}

// snapshots are those of a project, which an operator may go back to.
type snapshots struct{ db *postgres.DB }

// List implements httpapi.Snapshots.
func (s snapshots) List(ctx context.Context, project, strategy string, before int64, most int) ([]system.Snapshot, error) {
	found, err := s.db.SnapshotsBefore(ctx, learning.Learner{Project: project, Strategy: strategy}, before, most)
	if err != nil {
		return nil, err
	}
	all := make([]system.Snapshot, len(found))
	for i := range found {
		all[i] = snapshotOf(found[i])
	}
	return all, nil
}

// RollBack implements httpapi.Snapshots. It is noted before it is done.
func (s snapshots) RollBack(ctx context.Context, project, by, strategy string, to int64) (system.Snapshot, error) {
	l := learning.Learner{Project: project, Strategy: strategy}
	if _, err := s.db.Snapshot(ctx, l, to); err != nil {
		return system.Snapshot{}, err
	}
	err := s.db.Note(ctx, system.Action{Project: project, By: by, Action: system.ActionRollBack, Target: fmt.Sprintf("%s %d", strategy, to)})
	if err != nil {
		return system.Snapshot{}, err
	}
	back, err := s.db.RollBack(ctx, l, to)
	if errors.Is(err, postgres.ErrSnapshotTaken) { // the learner published meanwhile: once more
		back, err = s.db.RollBack(ctx, l, to)
	}
	back.At = time.Now()
	return snapshotOf(back), err
}
