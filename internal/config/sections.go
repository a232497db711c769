package config

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// defaults is a configuration without environment and file.
func defaults() Config {
	return Config{
		Routing:   Routing{Strategy: StrategyHybrid, QualityTarget: 0.95, Holdout: 0.02},
		Shadow:    defaultShadow(),
		Cache:     defaultCache(),
		Retention: Retention{Prompts: "none", Features: 90 * day, Completions: 400 * day},
		Streams:   Streams{Partitions: 1, ReadPartitions: 1, Retention: minStreamRetention},
		Journal:   Journal{MaxBytes: 2 << 30, Sync: 20 * time.Millisecond, RotateAfter: time.Hour},
		Limits:    Limits{WhenUnavailable: "closed"},
		Keys:      Keys{Grace: time.Hour},
		Sessions:  Sessions{Idle: time.Hour, Lifetime: 12 * time.Hour},
		Redaction: defaultRedaction(),
	}
}

const (
	usualObservation   = day
	simulatedObserved  = 10 * time.Second // whoever tries busu out need not wait a day for a proof
	longest            = 3650 * day
	minStreamRetention = 15 * time.Minute // promised to whoever tails a stream
	minJournalBytes    = 16 << 20
	maxJournalBytes    = 64 << 40
	maxPartitions      = 256
)

func (l *loader) routing(v value) {
	r := &l.cfg.Routing
	v.object(
		field{"strategy", func(v value) { v.choice(&r.Strategy, StrategyComplexity, StrategyLearning, StrategyHybrid) }},
		field{"baseline_model", func(v value) { l.baselineModel(v, r) }},
		field{"quality_target", func(v value) { v.number(&r.QualityTarget, 0, 1) }},
		field{"daily_budget_usd", func(v value) { v.dollars(&r.DailyBudget, "to spend a day") }},
		field{"strong_share", func(v value) { strongShare(v, r) }},
		field{"holdout", func(v value) { v.number(&r.Holdout, 0, 1) }},
		field{"observation", func(v value) { v.duration(&r.Observation, time.Second, day) }},
		field{"default_experiment", func(v value) { v.text(&r.DefaultExperiment) }},
	)
}

// strongShare is read behind the budget: there is one goal.
func strongShare(v value, r *Routing) {
	if v.number(&r.StrongShare, 0, 1) && r.StrongShare > 0 && r.DailyBudget > 0 {
		v.wrong(v.path+" and routing.daily_budget_usd are two goals", "keep one of them")
	}
}

func (l *loader) baselineModel(v value, r *Routing) {
	var id string
	if !v.text(&id) || id == "" { // "" asks for the default
		return
	}
	r.BaselineModel = id
	m, ok := l.cfg.Model(id)
	switch {
	case ok && !m.Chats():
		v.wrong(fmt.Sprintf("%s: %s does not chat", v.path, shorten(id)), "name a model whose purpose is chat")
	case ok && m.Price.Unknown && hasPriced(l.cfg.Models):
		v.wrong(fmt.Sprintf("%s: %s has no price, so nothing can be measured against it", v.path, shorten(id)), "give the model its price, or name another")
	}
	if !ok {
		l.noModel(v, id)
	}
}

// noModel says that no model has an id. Where all models are wrong, that has
// been said.
func (l *loader) noModel(v value, id string) {
	if len(l.cfg.Models) == 0 {
		return
	}
	ids := make([]string, len(l.cfg.Models))
	for i, m := range l.cfg.Models {
		ids[i] = m.ID
	}
	v.wrong(fmt.Sprintf("%s: no model has the id %q", v.path, shorten(id)), did(id, ids))
}

func (l *loader) retention(v value) {
	r := &l.cfg.Retention
	v.object(
		field{"prompts", func(v value) { v.choice(&r.Prompts, "none", "full") }},
		field{"features", func(v value) { v.duration(&r.Features, day, longest) }},
		field{"completions", func(v value) { v.duration(&r.Completions, day, longest) }},
		field{"projects", func(v value) { v.list(l.projectRetention) }},
	)
}

func (l *loader) streams(v value) {
	s := &l.cfg.Streams
	var read value
	v.object(
		field{"partitions", func(v value) { v.count(&s.Partitions, 1, maxPartitions) }},
		field{"read_partitions", func(v value) { read = v; v.count(&s.ReadPartitions, 1, maxPartitions) }},
		field{"retention", func(v value) { v.duration(&s.Retention, minStreamRetention, 30*day) }},
		field{"groups", func(v value) { v.list(func(v value) { group(v, s) }) }},
	)
	switch {
	case read.path == "":
		s.ReadPartitions = s.Partitions
	case s.ReadPartitions < s.Partitions:
		read.wrong(fmt.Sprintf("%s is %d, and %d partitions are written to", read.path, s.ReadPartitions, s.Partitions),
			"give the most that there ever were, or remove it where there never were more")
	}
}

var groupName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func group(v value, s *Streams) {
	var name string
	if !v.text(&name) {
		return
	}
	switch {
	case !groupName.MatchString(name):
		v.wrong(fmt.Sprintf("%s %q is no name of a consumer group", v.path, shorten(name)), "use letters, digits, dots, dashes and underscores")
	case name == "persist":
		v.wrong(v.path+" is busu's own group", "name only groups of outside readers")
	case slices.Contains(s.Groups, name):
		v.wrong(fmt.Sprintf("%s names %q again", v.path, name), "remove it")
	default:
		s.Groups = append(s.Groups, name)
	}
}

func (l *loader) journal(v value) {
	j := &l.cfg.Journal
	v.object(
		field{"max_bytes", func(v value) { v.bytes(&j.MaxBytes, minJournalBytes, maxJournalBytes) }},
		field{"sync", func(v value) { v.duration(&j.Sync, 0, 10*time.Second) }},
		field{"rotate_after", func(v value) { v.duration(&j.RotateAfter, time.Minute, longest) }},
	)
}

func (l *loader) limits(v value) {
	v.object(
		field{"when_unavailable", func(v value) { v.choice(&l.cfg.Limits.WhenUnavailable, "closed", "open") }},
		field{"projects", func(v value) { v.list(l.projectBudget) }},
		field{"alerts", l.alerts},
	)
}

func (l *loader) keys(v value) {
	v.object(field{"grace", func(v value) { v.duration(&l.cfg.Keys.Grace, 0, 30*day) }})
}
