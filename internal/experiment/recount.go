package experiment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Recount judges an experiment again, from the rows that are stored of its
// units, and holds what it comes to against what is stored of that.
type Recount struct {
	judge  *Judge
	report Recounted
	untold bool // how long requests took, and which arms served them, is not known of all units
}

// Recounted says what a recount has found.
type Recounted struct {
	Units       int          `json:"units"` // that were judged again
	Late        int          `json:"late"`  // of them, those of which facts came behind: taken as they were judged
	Differences []Difference `json:"differences"`
	More        int          `json:"more"` // differences that are not listed
}

// Difference is a figure that comes out otherwise.
type Difference struct {
	Of         string `json:"of"` // the unit, or the decision or the state
	What       string `json:"what"`
	Stored     string `json:"stored"`
	Recomputed string `json:"recomputed"`
}

// mostDifferences are listed.
const mostDifferences = 20

// NewRecount begins with no unit.
func NewRecount(e *Experiment) *Recount {
	return &Recount{judge: NewJudge(e), report: Recounted{Differences: []Difference{}}}
}

// Take judges the next unit in canonical order of those that were counted. late
// says that facts came when it was judged, so that its rows say more than was
// judged; known is nil where only what is stored of the unit is to be taken.
func (r *Recount) Take(stored Unit, late bool, known *Evidence) error {
	r.report.Units++
	u := stored
	switch {
	case late:
		r.report.Late++
		r.untold = true
	case known == nil || len(known.Results) == 0:
		r.untold = true
		if known != nil {
			r.differ(stored.ID, "requests", stored.Requests, 0)
		}
	default:
		u = known.Unit(r.judge.e)
		r.compare(stored.ID, []field{{"arm", stored.Arm, u.Arm}, {"exposed_at", stored.ExposedAt, u.ExposedAt}, {"matured_at", stored.MaturesAt, u.MaturesAt},
			{"totals", stored.Totals, u.Totals}, {"traits", stored.Traits, u.Traits}})
		if r.judge.e.CUPED {
			r.compare(stored.ID, []field{{"history", stored.History, u.History}})
		}
	}
	if err := r.judge.Add(&u); !errors.Is(err, ErrLate) {
		return err
	}
	return nil // it matured otherwise, as is noted
}

// Finish holds what all units lead to against what the judge knew and decided when
// all was known up to the watermark.
func (r *Recount) Finish(watermark time.Time, state State, decision *Decision) Recounted {
	if !watermark.IsZero() {
		r.judge.Advance(watermark)
	}
	again := r.judge.State()
	if state.LastUnit == "" { // it was a name, and is not kept
		again.LastUnit = ""
	}
	fields := []field{{"units", state.Units, again.Units}, {"last_at", state.LastAt, again.LastAt}, {"last_unit", state.LastUnit, again.LastUnit},
		{"tallies", state.Tallies, again.Tallies}, {"least_p", state.LeastP, again.LeastP}, {"looks", state.Looks, again.Looks},
		{"entered", r.judge.e.coarser(state.Entered), r.judge.e.coarser(again.Entered)}, {"parts", state.Parts, again.Parts}, {"decision", state.Decision, again.Decision}}
	if !r.untold {
		fields = append(fields, field{"took", state.Took, again.Took}, field{"strays", state.Strays, again.Strays})
	}
	if state.Units > 0 || again.Units > 0 {
		r.compare("state", fields)
	}
	r.compare("decision", decisionFields(decision, again.Decision))
	return r.report
}

// decisionFields compares what is said first, then all of it.
func decisionFields(stored, again *Decision) []field {
	if stored == nil || again == nil {
		return []field{{"outcome", stored, again}}
	}
	v, w := reflect.ValueOf(*stored), reflect.ValueOf(*again)
	fields := make([]field, v.NumField())
	for i := range fields {
		fields[i] = field{v.Type().Field(i).Tag.Get("json"), v.Field(i).Interface(), w.Field(i).Interface()}
	}
	return fields
}

// field is something that is to be the same.
type field struct {
	what          string
	stored, again any
}

func (r *Recount) compare(of string, fields []field) {
	for _, f := range fields {
		r.differ(of, f.what, f.stored, f.again)
	}
}

// differ notes two values of which the JSON is not the same, to the last digit.
func (r *Recount) differ(of, what string, stored, again any) {
	one, other := text(stored), text(again)
	switch {
	case bytes.Equal(one, other):
	case len(r.report.Differences) == mostDifferences:
		r.report.More++
	default:
		a, b := excerpts(one, other)
		r.report.Differences = append(r.report.Differences, Difference{of, what, a, b})
	}
}

func text(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Append(nil, v)
	}
	return body
}

// excerpts cuts out where two texts begin to differ.
func excerpts(a, b []byte) (string, string) {
	const before, after = 40, 60
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	cut := func(text []byte) string {
		from, to := max(0, i-before), min(len(text), i+after)
		s := string(bytes.ToValidUTF8(text[from:to], nil))
		if from > 0 {
			s = "…" + s
		}
		if to < len(text) {
			s += "…"
		}
		return s
	}
	return cut(a), cut(b)
}
