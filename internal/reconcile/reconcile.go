// Package reconcile holds what was announced, stored and counted against each
// other. Facts are numbered without gaps, so that a loss is a hole and a
// repetition is a count that is too high: there is nothing to estimate.
package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// Ledger is what PostgreSQL says, as of one moment.
type Ledger struct {
	Heartbeats map[string]event.Heartbeat // the last of each journal
	Lanes      map[LaneKey]*Lane
	Projects   map[string]*Project
}

// NewLedger begins with nothing.
func NewLedger() Ledger {
	return Ledger{Heartbeats: map[string]event.Heartbeat{}, Lanes: map[LaneKey]*Lane{}, Projects: map[string]*Project{}}
}

// Hear takes heartbeats, of each journal the latest. What was announced once
// stays announced.
func (l *Ledger) Hear(beats []event.Heartbeat) {
	for _, b := range beats {
		last, heard := l.Heartbeats[b.Journal]
		if heard && !b.Later(last) {
			b, last = last, b
		}
		b.Seqs = maps.Clone(b.Seqs)
		for lane, seq := range last.Seqs {
			if b.Seqs == nil {
				b.Seqs = map[string]int64{}
			}
			b.Seqs[lane] = max(b.Seqs[lane], seq)
		}
		l.Heartbeats[b.Journal] = b
	}
}

// LaneKey names a lane of a journal, the lane as Lane.String writes it.
type LaneKey struct {
	Journal string `json:"journal"`
	Lane    string `json:"lane"`
}

// Lane is what is known of one lane of one journal.
type Lane struct {
	Marked   event.Ranges // what was marked as stored
	Buried   event.Ranges // what went to the dead letters and is not stored
	Rows     int64        // that are there
	Distinct int64        // different seqs among them
}

// Project is what a project's requests add up to.
type Project struct {
	Rows    rollup.Cell // over the rows that are kept
	Rollups rollup.Cell // over the rollups of the same time
	Ever    rollup.Cell // over all rollups
	Decided rollup.Cell // over the rows of strategies that are counted as users', without errors and tokens
	Counted rollup.Cell // over users, the same
}

// Lane gives a lane, which is begun when it is missing.
func (l *Ledger) Lane(journal, lane string) *Lane {
	key := LaneKey{journal, lane}
	if l.Lanes[key] == nil {
		l.Lanes[key] = new(Lane)
	}
	return l.Lanes[key]
}

// Project gives a project, which is begun when it is missing.
func (l *Ledger) Project(name string) *Project {
	if l.Projects[name] == nil {
		l.Projects[name] = new(Project)
	}
	return l.Projects[name]
}

// Report is what came of the comparison.
type Report struct {
	Lanes    []LaneReport    `json:"lanes"`
	Projects []ProjectReport `json:"projects"`
	Open     int             `json:"open_intents"` // that are not settled
	Budgets  []BudgetReport  `json:"budgets"`      // in use, in periods that are not over
}

// LaneReport is one line on a lane.
type LaneReport struct {
	LaneKey
	Announced int64  `json:"announced"`
	Stored    int64  `json:"stored"`
	Missing   int64  `json:"missing"`
	Repeated  int64  `json:"repeated"`
	Unheard   bool   `json:"unheard"` // it never sent a heartbeat
	Problem   string `json:"problem"` // "" for none
}

// ProjectReport is one line on a project: three ways to count the same.
type ProjectReport struct {
	Project   string      `json:"project"`
	Stored    rollup.Sums `json:"stored"`
	Live      rollup.Sums `json:"live"`
	RowsAgree bool        `json:"rows_agree"` // rows and rollups add up to the same
	LiveSeen  bool        `json:"live_seen"`
	Problem   string      `json:"problem"` // "" for none
}

// Compare holds the ledger against the live totals of projects.
func Compare(l Ledger, live map[string]rollup.Sums) Report {
	r := Report{Lanes: []LaneReport{}, Projects: []ProjectReport{}, Budgets: []BudgetReport{}}
	for _, b := range l.Heartbeats {
		r.Open += b.OpenIntents
		for lane := range b.Seqs {
			l.Lane(b.Journal, lane)
		}
	}
	for key, lane := range l.Lanes {
		b, heard := l.Heartbeats[key.Journal]
		r.Lanes = append(r.Lanes, compareLane(key, *lane, b.Seqs[key.Lane], heard))
	}
	slices.SortFunc(r.Lanes, func(a, b LaneReport) int {
		return cmp.Or(cmp.Compare(a.Journal, b.Journal), cmp.Compare(a.Lane, b.Lane))
	})
	for name := range live {
		l.Project(name)
	}
	for name, project := range l.Projects {
		sums, seen := live[name]
		r.Projects = append(r.Projects, compareProject(name, *project, sums, seen))
	}
	slices.SortFunc(r.Projects, func(a, b ProjectReport) int { return cmp.Compare(a.Project, b.Project) })
	return r
}

func compareLane(key LaneKey, lane Lane, announced int64, heard bool) LaneReport {
	r := LaneReport{LaneKey: key, Announced: max(announced, lane.Marked.Last(), lane.Buried.Last()), Stored: lane.Marked.Count(),
		Repeated: lane.Rows - lane.Distinct, Unheard: !heard}
	r.Missing = r.Announced - r.Stored
	buried := lane.Buried.Count()
	switch {
	case r.Missing > 0 && r.Missing == buried:
		r.Problem = fmt.Sprintf("%d facts are in the dead letters: see busu dead list", buried)
	case r.Missing > 0:
		r.Problem = fmt.Sprintf("%d of %d facts are not stored; stored are %s", r.Missing, r.Announced, lane.Marked)
	case r.Repeated > 0:
		r.Problem = fmt.Sprintf("%d rows repeat a seq", r.Repeated)
	case lane.Rows > r.Stored:
		r.Problem = fmt.Sprintf("there are %d rows, and only %d are marked as stored", lane.Rows, r.Stored)
	}
	return r
}

func compareProject(name string, p Project, live rollup.Sums, seen bool) ProjectReport {
	r := ProjectReport{Project: name, Stored: sums(p.Ever), Live: live, LiveSeen: seen}
	r.RowsAgree = sums(p.Rows) == sums(p.Rollups)
	switch {
	case !r.RowsAgree:
		r.Problem = fmt.Sprintf("rows add up to %s, rollups to %s", brief(sums(p.Rows)), brief(sums(p.Rollups)))
	case sums(p.Decided) != sums(p.Counted):
		r.Problem = fmt.Sprintf("requests that are counted for savings add up to %s, users to %s", brief(sums(p.Decided)), brief(sums(p.Counted)))
	case !seen:
		r.Problem = "no live metrics are published"
	case r.Live != r.Stored:
		r.Problem = fmt.Sprintf("live metrics say %s, the ledger %s", brief(live), brief(r.Stored))
	}
	return r
}

func sums(c rollup.Cell) rollup.Sums {
	cells := rollup.Cells{}
	cells.Add(rollup.Dim{Kind: rollup.KindAll}, c)
	return rollup.NewSums(cells)
}

func brief(s rollup.Sums) string {
	return fmt.Sprintf("%d requests, %d errors, %s USD against %s", s.TotalRequests, s.Errors, s.CostUSD, s.BaselineCostUSD)
}

// Answer is a comparison over a stretch of time, for whoever asks over HTTP.
type Answer struct {
	Window   string    `json:"window"` // of which rows and rollups were read
	From     time.Time `json:"from"`
	AsOf     time.Time `json:"as_of"`
	Settled  bool      `json:"settled"`
	Degraded []string  `json:"degraded"` // what could not be asked
	Report
}

// Settled reports whether everything agrees.
func (r Report) Settled() bool {
	return r.Open == 0 &&
		!slices.ContainsFunc(r.Lanes, func(l LaneReport) bool { return l.Problem != "" }) &&
		!slices.ContainsFunc(r.Projects, func(p ProjectReport) bool { return p.Problem != "" }) &&
		!slices.ContainsFunc(r.Budgets, func(b BudgetReport) bool { return b.Problem != "" })
}
