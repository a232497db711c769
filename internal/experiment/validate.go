package experiment

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/webhook"
)

// Known is what the installation has, as far as an experiment may name it.
type Known struct {
	Strategies []string      // nil: any name will do
	Models     []string      // nil: any name will do
	Learning   []string      // of the strategies, those that learn; nil: any may
	Webhooks   webhook.Allow // where notify_url may go beyond the public network
}

// Bounds of a record. Fewer than 30 units of an arm are never judged; beyond a
// hundred million nobody waits for the end.
const (
	maxArms       = 8
	maxSampleSize = 100_000_000
	minPerArm     = 30
	maxObserved   = 90 * 24 * time.Hour
	maxLasting    = 366 * 24 * time.Hour
	minShare      = 0.001
)

var (
	armName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)
	layerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

// Validate finds everything that is wrong, as a *document.InvalidError whose
// faults name the fields of the record.
func (e *Experiment) Validate(k Known) error {
	var f document.Faults
	e.check(&f, k, func(i int, field string) string { return fmt.Sprintf("arms[%d].%s", i, field) })
	return f.Err()
}

// New makes the record that a caller asks for, or says what is wrong with it in
// the names the caller used.
func New(s Start, g Given, k Known) (Experiment, error) {
	var f document.Faults
	s.checkForms(&f)
	e := s.Experiment(g)
	e.check(&f, k, s.fieldOfArm)
	return e, f.Err()
}

// checkForms refuses two ways of saying the same.
func (s Start) checkForms(f *document.Faults) {
	pair := s.ControlStrategy != "" || s.TestStrategy != "" || s.Control != nil || s.Test != nil || s.TestShare != nil
	if len(s.Arms) > 0 && pair {
		f.Add(document.CodeValue, "arms", "cannot go together with control, test, control_strategy, test_strategy or test_share: name the arms once")
	}
	if s.ControlStrategy != "" && s.Control != nil {
		f.Add(document.CodeValue, "control", "cannot go together with control_strategy: give one of them")
	}
	if s.TestStrategy != "" && s.Test != nil {
		f.Add(document.CodeValue, "test", "cannot go together with test_strategy: give one of them")
	}
	if s.SlowMS != nil && !(*s.SlowMS > 0 && *s.SlowMS <= 3.6e6) {
		f.Add(document.CodeValue, "slow_ms", "is %g, must be more than 0 and at most an hour", *s.SlowMS)
	}
	if s.LayerShare != nil && !(*s.LayerShare >= minShare && *s.LayerShare <= 1) {
		f.Add(document.CodeValue, "layer_share", "is %g, must be within %g and 1", *s.LayerShare, minShare)
	}
	if s.LayerShare != nil && s.Layer == "" {
		f.Add(document.CodeValue, "layer_share", "says nothing without a layer: name one")
	}
}

// fieldOfArm is where the caller wrote what the record has in its arms.
func (s Start) fieldOfArm(i int, field string) string {
	if len(s.Arms) > 0 {
		return fmt.Sprintf("arms[%d].%s", i, field)
	}
	side, spec := "control", s.Control
	if i != Control {
		side, spec = "test", s.Test
	}
	switch {
	case field == "share":
		return "test_share"
	case spec != nil:
		return side + "." + field
	default:
		return side + "_strategy"
	}
}

func (e *Experiment) check(f *document.Faults, k Known, arm func(i int, field string) string) {
	e.checkName(f)
	e.checkArms(f, k, arm)
	e.checkPhases(f, arm)
	e.checkLayer(f)
	e.checkRules(f)
	e.checkTimes(f)
	if e.NotifyURL != "" {
		if err := k.Webhooks.CheckURL(e.NotifyURL); err != nil {
			f.Add(document.CodeValue, "notify_url", "%s", err)
		}
	}
}

func (e *Experiment) checkName(f *document.Faults) {
	switch {
	case strings.TrimSpace(e.Name) == "":
		f.Add(document.CodeMissing, "name", "is missing: give the experiment a name")
	case len(e.Name) > 200 || strings.ContainsFunc(e.Name, func(r rune) bool { return r < ' ' || r == 0xFFFD }):
		f.Add(document.CodeValue, "name", "must be at most 200 bytes of text on one line")
	}
	if e.Salt == "" || len(e.Salt) > maxSalt || strings.ContainsRune(e.Salt, 0) {
		f.Add(document.CodeValue, "salt", "must have 1 to %d bytes, none of them NUL", maxSalt)
	}
}

func (e *Experiment) checkArms(f *document.Faults, k Known, field func(int, string) string) {
	if len(e.Arms) < 2 || len(e.Arms) > maxArms {
		f.Add(document.CodeValue, "arms", "are %d, must be 2 to %d: the control first, then what is tested", len(e.Arms), maxArms)
	}
	for i, a := range e.Arms {
		if !armName.MatchString(a.Name) {
			f.Add(document.CodeValue, field(i, "name"), "is %q, must be 1 to 32 letters, digits, dots, dashes or underscores", document.Cut(a.Name))
		}
		checkDeed(f, a, k, func(name string) string { return field(i, name) })
		for j, other := range e.Arms[:i] {
			if a.Name == other.Name {
				f.Add(document.CodeValue, field(i, "name"), "is %q like that of another arm: give each its own", document.Cut(a.Name))
			}
			if a.Does() != "" && a.same(other) {
				f.Add(document.CodeValue, field(i, "strategy"), "is %s, just as in the arm %q: there is nothing to compare", document.Cut(a.Does()), document.Cut(e.Arms[j].Name))
			}
		}
	}
}

// checkDeed looks at what an arm does.
func checkDeed(f *document.Faults, a Arm, k Known, field func(string) string) {
	switch {
	case a.Strategy == "" && a.Model == "":
		f.Add(document.CodeMissing, field("strategy"), "is missing: name a strategy, or a model")
	case a.Strategy != "" && a.Model != "":
		f.Add(document.CodeValue, field("model"), "cannot go together with a strategy: a fixed model needs none")
	case a.Model != "" && len(a.Parameters) > 0:
		f.Add(document.CodeValue, field("parameters"), "say nothing to a fixed model: leave them out")
	case a.Strategy != "" && k.Strategies != nil && !slices.Contains(k.Strategies, a.Strategy):
		f.Add(document.CodeValue, field("strategy"), "is %q, must be one of %s", document.Cut(a.Strategy), strings.Join(k.Strategies, ", "))
	case a.Model != "" && k.Models != nil && !slices.Contains(k.Models, a.Model):
		f.Add(document.CodeValue, field("model"), "is %q, which there is not: GET /v1/models lists what there is", document.Cut(a.Model))
	}
	if a.Model == "" {
		checkParameters(f, a, k, field)
	}
}

// same reports whether two arms do the same.
func (a Arm) same(b Arm) bool {
	if a.Strategy != b.Strategy || a.Model != b.Model || len(a.Parameters) != len(b.Parameters) {
		return false
	}
	for name, value := range a.Parameters {
		other, ok := b.Parameters[name]
		if !ok || !sameValue(value, other) {
			return false
		}
	}
	return true
}

// sameValue holds 1 and 1.0 for the same.
func sameValue(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func (e *Experiment) checkPhases(f *document.Faults, field func(int, string) string) {
	if len(e.Phases) == 0 {
		f.Add(document.CodeMissing, "phases", "are missing: there must be one at least")
		return
	}
	for i, p := range e.Phases {
		if i > 0 && !p.From.After(e.Phases[i-1].From) {
			f.Add(document.CodeValue, fmt.Sprintf("phases[%d].from", i), "must be after the phase before")
		}
		if err := checkShares(p.Shares, len(e.Arms)); err != nil {
			f.Add(document.CodeValue, field(len(e.Arms)-1, "share"), "%s", err)
		}
	}
}

// checkShares says why these cannot be the shares of so many arms; the message
// goes on where the field's name ends.
func checkShares(shares []float64, arms int) error {
	if len(shares) != arms {
		return fmt.Errorf("must be one for each of the %d arms, but there are %d", arms, len(shares))
	}
	sum := 0.0
	for _, s := range shares {
		if !(s >= minShare && s <= 1) { // so written, NaN is refused
			return fmt.Errorf("is wrong: an arm has the share %g, must have at least %g and less than 1", s, minShare)
		}
		sum += s
	}
	if math.Abs(sum-1) > 1e-9 {
		return fmt.Errorf("is wrong: all shares sum to %.6g, must sum to 1", sum)
	}
	return nil
}

func (e *Experiment) checkLayer(f *document.Faults) {
	if e.Layer != "" && !layerName.MatchString(e.Layer) {
		f.Add(document.CodeValue, "layer", "is %q, must be 1 to 64 letters, digits, dots, dashes or underscores", document.Cut(e.Layer))
	}
	if s := e.Segment; !(s.From >= 0 && s.From < s.To && s.To <= 1) {
		f.Add(document.CodeValue, "segment", "is %g to %g, must lie within 0 and 1", s.From, s.To)
	}
}

func (e *Experiment) checkRules(f *document.Faults) {
	if !slices.Contains(primaryMetrics(), e.Primary) {
		f.Add(document.CodeValue, "primary_metric", "is %q, must be good, quality, cost or latency", document.Cut(string(e.Primary)))
	}
	for _, m := range []Metric{Good, Quality, Slow} {
		if v := e.Margins.of(m); !(v > 0 && v <= 1) {
			f.Add(document.CodeValue, "margins."+string(m), "is %g, must be more than 0 and at most 1; 1 lets everything pass", v)
		}
	}
	if _, ok := boundaryOf(e.Alpha); !ok {
		f.Add(document.CodeValue, "alpha", "is %g, must be 0.1, 0.05 or 0.01", e.Alpha)
	}
	if !slices.Contains([]UnitKind{UnitUser, UnitSession, UnitRequest}, e.Unit) {
		f.Add(document.CodeValue, "unit", "is %q, must be user, session or request", document.Cut(string(e.Unit)))
	}
	if !slices.Contains([]Learn{LearnOwn, LearnPinned}, e.Learn) {
		f.Add(document.CodeValue, "learn", "is %q, must be own or pinned", document.Cut(string(e.Learn)))
	}
	if e.CUPED && e.Unit != UnitUser {
		f.Add(document.CodeValue, "cuped", "takes what users did before, and says nothing of a %s: leave it out, or assign users", document.Cut(string(e.Unit)))
	}
	if e.SlowUS < 0 {
		f.Add(document.CodeValue, "slow_us", "is %d, must not be negative", e.SlowUS)
	}
	e.checkSampleSize(f)
}

func (e *Experiment) checkSampleSize(f *document.Faults) {
	least := minPerArm * max(2, len(e.Arms))
	if len(e.Phases) > 0 && len(e.Phases[0].Shares) > 0 {
		if smallest := slices.Min(e.Phases[0].Shares); smallest >= minShare {
			least = int(math.Ceil(minPerArm / smallest))
		}
	}
	if e.SampleSize < least || e.SampleSize > maxSampleSize {
		f.Add(document.CodeValue, "sample_size", "is %d, must be %d to %d units in all, so that every arm gets %d at least",
			e.SampleSize, least, maxSampleSize, minPerArm)
	}
}

func (e *Experiment) checkTimes(f *document.Faults) {
	for _, d := range []struct {
		name        string
		value       Duration
		least, most time.Duration
	}{
		{"observation", e.Observation, time.Millisecond, maxObserved},
		{"feedback_window", e.FeedbackWindow, 0, maxObserved},
		{"min_duration", e.MinDuration, 0, maxLasting},
		{"max_duration", e.MaxDuration, time.Second, maxLasting},
	} {
		if v := time.Duration(d.value); v < d.least || v > d.most {
			f.Add(document.CodeValue, d.name, "is %s, must be within %s and %s", v, d.least, d.most)
		}
	}
	if e.MaxDuration <= e.Observation+e.FeedbackWindow {
		f.Add(document.CodeValue, "max_duration", "is %s, must be longer than observation and feedback_window together, or nobody is ever counted", time.Duration(e.MaxDuration))
	}
	if e.MinDuration > e.MaxDuration {
		f.Add(document.CodeValue, "min_duration", "is %s, must not be longer than max_duration", time.Duration(e.MinDuration))
	}
}
