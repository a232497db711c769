package experiment

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/webhook"
)

var known = Known{Strategies: []string{"complexity", "learning", "hybrid"}, Models: []string{"small", "large"}, Learning: []string{"learning", "hybrid"}}

func asked(change func(*Start)) Start {
	s := Start{Name: "hybrid pays", ControlStrategy: "complexity", TestStrategy: "hybrid", SampleSize: 2000}
	change(&s)
	return s
}

var given1 = Given{ID: "e1", Project: "default", Salt: "salt", At: start, Segment: Segment{0, 1}, SlowUS: 2_000_000}

func TestDefaults(t *testing.T) {
	t.Parallel()
	e, err := New(asked(func(*Start) {}), given1, known)
	if err != nil {
		t.Fatal(err)
	}
	want := Experiment{ID: "e1", Project: "default", Name: "hybrid pays",
		Arms:   []Arm{{Name: "control", Strategy: "complexity"}, {Name: "test", Strategy: "hybrid"}},
		Phases: []Phase{{From: start, Shares: []float64{.5, .5}}}, Salt: "salt", Segment: Segment{0, 1},
		Primary: Good, Margins: Margins{.02, .02, .02}, Alpha: .05, SampleSize: 2000, SlowUS: 2_000_000, Unit: UnitUser,
		Observation: Duration(24 * time.Hour), FeedbackWindow: Duration(time.Hour), MinDuration: Duration(24 * time.Hour),
		MaxDuration: Duration(30 * 24 * time.Hour), Learn: LearnOwn, StartedAt: start}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("got %+v\nwant %+v", e, want)
	}
}

func TestRecordSurvivesJSON(t *testing.T) {
	t.Parallel()
	e, err := New(Start{Name: "three", SampleSize: 3000, Primary: Cost, Layer: "routing", Alpha: new(.1), NotifyURL: "https://example.com/hook",
		Observation: new(Duration(90 * time.Minute)), Margins: &StartMargins{Good: new(.01)}, SlowMS: new(1500.0),
		Arms: []ArmShare{
			{"old", .5, ArmSpec{Strategy: "hybrid", Parameters: map[string]json.RawMessage{"quality_target": json.RawMessage("0.9")}}},
			{"new", .25, ArmSpec{Strategy: "hybrid", Parameters: map[string]json.RawMessage{"quality_target": json.RawMessage("0.95")}}},
			{"small", .25, ArmSpec{Model: "small"}}}}, given1, known)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Ramp(start.Add(time.Hour), []float64{.2, .4, .4}); err != nil {
		t.Fatal(err)
	}
	if e.SlowUS != 1_500_000 || e.Margins != (Margins{.01, .02, .02}) {
		t.Errorf("slow_us %d, margins %+v", e.SlowUS, e.Margins)
	}
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var read Experiment
	if err := json.Unmarshal(body, &read); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read, e) || read.Hash() != e.Hash() {
		t.Errorf("read %+v\nwrote %+v", read, e)
	}
	if err := read.Validate(known); err != nil {
		t.Error(err)
	}
	for _, want := range []string{`"observation":"1h30m0s"`, `"primary_metric":"cost"`, `"sample_size":3000`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
}

func TestEveryMistakeIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		field, says string
		change      func(*Start)
	}{
		{"name", "is missing", func(s *Start) { s.Name = " " }},
		{"name", "at most 200 bytes", func(s *Start) { s.Name = strings.Repeat("x", 201) }},
		{"name", "on one line", func(s *Start) { s.Name = "a\nb" }},
		{"test_strategy", "nothing to compare", func(s *Start) { s.TestStrategy = "complexity" }},
		{"test_strategy", "is missing", func(s *Start) { s.TestStrategy = "" }},
		{"control_strategy", "must be one of", func(s *Start) { s.ControlStrategy = "magic" }},
		{"control", "give one of them", func(s *Start) { s.Control = &ArmSpec{Model: "small"} }},
		{"test", "give one of them", func(s *Start) { s.Test = &ArmSpec{Model: "small"} }},
		{"test.model", "which there is not", func(s *Start) { s.TestStrategy, s.Test = "", &ArmSpec{Model: "huge"} }},
		{"test.model", "cannot go together", func(s *Start) { s.TestStrategy, s.Test = "", &ArmSpec{Model: "small", Strategy: "hybrid"} }},
		{"test.parameters", "leave them out", func(s *Start) {
			s.TestStrategy, s.Test = "", &ArmSpec{Model: "small", Parameters: map[string]json.RawMessage{"a": json.RawMessage("1")}}
		}},
		{"test.parameters.a", "is no parameter", with("hybrid", `{"a": 1}`)},
		{"test.parameters.quality_target", "must be a number above 0", with("hybrid", `{"quality_target": 0}`)},
		{"test.parameters.quality_target", "must be a number above 0", with("hybrid", `{"quality_target": "0.9"}`)},
		{"test.parameters.quality_target", "must be a number above 0", with("hybrid", `{"quality_target": null}`)},
		{"test.parameters.strong_share", "must be a number above 0", with("hybrid", `{"strong_share": 1.01}`)},
		{"test.parameters.strong_share", "are two goals", with("hybrid", `{"strong_share": 0.3, "quality_target": 0.9}`)},
		{"test.parameters.strong_share", "which does not learn", with("complexity", `{"strong_share": 0.3}`)},
		{"test.parameters.explore", "which does not learn", with("complexity", `{"explore": false}`)},
		{"test.parameters.explore", "must be true or false", with("hybrid", `{"explore": 1}`)},
		{"test.parameters.min_quality", "must be a number above 0", with("hybrid", `{"min_quality": -1}`)},
		{"test.parameters.max_cost_usd", "must be a number of dollars", with("hybrid", `{"max_cost_usd": 0}`)},
		{"test.parameters.models", "must be a list", with("hybrid", `{"models": "small"}`)},
		{"test.parameters.models", "must be a list", with("hybrid", `{"models": []}`)},
		{"test.parameters.models", "which there is not", with("hybrid", `{"models": ["small", "huge"]}`)},
		{"test.strategy", "nothing to compare", func(s *Start) {
			with("hybrid", `{"models": ["small"]}`)(s)
			s.ControlStrategy, s.Control = "", s.Test
		}},
		{"test.strategy", "nothing to compare", func(s *Start) {
			s.ControlStrategy, s.Control = "", &ArmSpec{Strategy: "hybrid", Parameters: map[string]json.RawMessage{"quality_target": json.RawMessage("1.0")}}
			s.TestStrategy, s.Test = "", &ArmSpec{Strategy: "hybrid", Parameters: map[string]json.RawMessage{"quality_target": json.RawMessage("1")}}
		}},
		{"test_share", "must have at least", func(s *Start) { s.TestShare = new(1.0) }},
		{"test_share", "must have at least", func(s *Start) { s.TestShare = new(math.NaN()) }},
		{"arms", "name the arms once", func(s *Start) {
			s.Arms = []ArmShare{{"a", .5, ArmSpec{Model: "small"}}, {"b", .5, ArmSpec{Model: "large"}}}
		}},
		{"arms", "must be 2 to 8", func(s *Start) {
			*s = Start{Name: "x", SampleSize: 100, Arms: []ArmShare{{"a", 1, ArmSpec{Model: "small"}}}}
		}},
		{"arms[1].share", "sum to 0.9", func(s *Start) {
			*s = Start{Name: "x", SampleSize: 100, Arms: []ArmShare{{"a", .5, ArmSpec{Model: "small"}}, {"b", .4, ArmSpec{Model: "large"}}}}
		}},
		{"arms[1].name", "give each its own", func(s *Start) {
			*s = Start{Name: "x", SampleSize: 100, Arms: []ArmShare{{"a", .5, ArmSpec{Model: "small"}}, {"a", .5, ArmSpec{Model: "large"}}}}
		}},
		{"arms[0].name", "must be 1 to 32 letters", func(s *Start) {
			*s = Start{Name: "x", SampleSize: 100, Arms: []ArmShare{{"a b", .5, ArmSpec{Model: "small"}}, {"b", .5, ArmSpec{Model: "large"}}}}
		}},
		{"sample_size", "must be 60", func(s *Start) { s.SampleSize = 0 }},
		{"sample_size", "must be 300", func(s *Start) { s.SampleSize, s.TestShare = 200, new(.1) }},
		{"sample_size", "100000000", func(s *Start) { s.SampleSize = 1_000_000_000_000 }},
		{"primary_metric", "must be good, quality", func(s *Start) { s.Primary = "revenue" }},
		{"primary_metric", "must be good, quality", func(s *Start) { s.Primary = Slow }},
		{"alpha", "must be 0.1, 0.05 or 0.01", func(s *Start) { s.Alpha = new(0.0) }},
		{"alpha", "must be 0.1, 0.05 or 0.01", func(s *Start) { s.Alpha = new(1.0) }},
		{"margins.good", "must be more than 0", func(s *Start) { s.Margins = &StartMargins{Good: new(0.0)} }},
		{"margins.slow", "must be more than 0", func(s *Start) { s.Margins = &StartMargins{Slow: new(1.5)} }},
		{"unit", "must be user", func(s *Start) { s.Unit = "team" }},
		{"learn", "must be own", func(s *Start) { s.Learn = "all" }},
		{"observation", "must be within", func(s *Start) { s.Observation = new(Duration(0)) }},
		{"feedback_window", "must be within", func(s *Start) { s.FeedbackWindow = new(Duration(-time.Hour)) }},
		{"max_duration", "must be longer than observation", func(s *Start) { s.MaxDuration, s.MinDuration = new(Duration(25*time.Hour)), new(Duration(0)) }},
		{"min_duration", "must not be longer than max_duration", func(s *Start) { s.MinDuration = new(Duration(40 * 24 * time.Hour)) }},
		{"slow_ms", "must be more than 0", func(s *Start) { s.SlowMS = new(-1.0) }},
		{"layer", "must be 1 to 64", func(s *Start) { s.Layer = "a/b" }},
		{"layer_share", "name one", func(s *Start) { s.LayerShare = new(.5) }},
		{"layer_share", "must be within", func(s *Start) { s.Layer, s.LayerShare = "a", new(2.0) }},
		{"notify_url", "is no address", func(s *Start) { s.NotifyURL = "ftp://example.com" }},
		{"notify_url", "is no address", func(s *Start) { s.NotifyURL = "https://" }},
		{"notify_url", "neither a password", func(s *Start) { s.NotifyURL = "https://u:p@example.com" }},
		{"notify_url", "longer than", func(s *Start) { s.NotifyURL = "https://example.com/" + strings.Repeat("x", 2000) }},
		{"notify_url", "private network", func(s *Start) { s.NotifyURL = "http://169.254.169.254/latest/meta-data" }},
		{"notify_url", "private network", func(s *Start) { s.NotifyURL = "http://[::ffff:169.254.169.254]/" }},
		{"notify_url", "private network", func(s *Start) { s.NotifyURL = "http://10.0.0.1/" }},
		{"notify_url", "must begin with https", func(s *Start) { s.NotifyURL = "http://example.com/" }},
		{"notify_url", "private network", func(s *Start) { s.NotifyURL = "http://[fd00:ec2::254]/" }},
		{"notify_url", "private network", func(s *Start) { s.NotifyURL = "http://LOCALHOST.:8000/" }},
	} {
		_, err := New(asked(c.change), given1, known)
		var wrong *document.InvalidError
		if !errors.As(err, &wrong) {
			t.Errorf("%s, %s: %v", c.field, c.says, err)
			continue
		}
		if !slices.ContainsFunc(wrong.Faults, func(f document.Fault) bool { return f.Field == c.field && strings.Contains(f.Message, c.says) }) {
			t.Errorf("%s, %s: not in %+v", c.field, c.says, wrong.Faults)
		}
	}
}

// with makes the test a strategy with parameters.
func with(strategy, parameters string) func(*Start) {
	return func(s *Start) {
		s.TestStrategy, s.Test = "", &ArmSpec{Strategy: strategy}
		if err := json.Unmarshal([]byte(parameters), &s.Test.Parameters); err != nil {
			panic(err)
		}
	}
}

func TestParametersAreRead(t *testing.T) {
	t.Parallel()
	e, err := New(asked(with("hybrid", `{"strong_share": 0.35, "explore": false, "min_quality": 0.5, "max_cost_usd": 0.001, "models": ["small", "large"]}`)), given1, known)
	if err != nil {
		t.Fatal(err)
	}
	want := Parameters{StrongShare: .35, Steady: true, MinQuality: .5, MaxCostUSD: .001, Models: []string{"small", "large"}}
	if got := e.Arms[1].Read(); !reflect.DeepEqual(got, want) {
		t.Errorf("read are %+v", got)
	}
	if got := e.Arms[0].Read(); !reflect.DeepEqual(got, Parameters{}) {
		t.Errorf("of an arm without any there are %+v", got)
	}
}

func TestAllMistakesAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := New(Start{ControlStrategy: "hybrid", TestStrategy: "hybrid", SampleSize: -1, Alpha: new(.2), NotifyURL: "x"}, given1, known)
	var wrong *document.InvalidError
	if !errors.As(err, &wrong) || len(wrong.Faults) != 5 {
		t.Fatalf("%v", err)
	}
}

func TestWhatMayBe(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Start){
		"a fixed model":                    func(s *Start) { s.TestStrategy, s.Test = "", &ArmSpec{Model: "small"} },
		"the same strategy, set otherwise": with("complexity", `{"min_quality": 0.4}`),
		"all that there is":                with("hybrid", `{"quality_target": 0.9, "explore": false, "min_quality": 0.5, "max_cost_usd": 0.001, "models": ["small", "large"]}`),
		"a share":                          with("hybrid", `{"strong_share": 1, "explore": true}`),
		"no waiting": func(s *Start) {
			s.MinDuration, s.Observation, s.FeedbackWindow = new(Duration(0)), new(Duration(time.Second)), new(Duration(0))
		},
		"a public webhook": func(s *Start) { s.NotifyURL = "https://93.184.215.14:8443/hook?x=1" },
		"no guardrails":    func(s *Start) { s.Margins = &StartMargins{new(1.0), new(1.0), new(1.0)} },
	} {
		e, err := New(asked(change), given1, known)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "no guardrails" && len(e.Guardrails()) > 0 {
			t.Errorf("guardrails %v", e.Guardrails())
		}
	}
	private := known
	var err error
	if private.Webhooks, err = webhook.ParseAllow([]string{"127.0.0.0/8"}); err != nil {
		t.Fatal(err)
	}
	if _, err := New(asked(func(s *Start) { s.NotifyURL = "http://127.0.0.1:9000/" }), given1, private); err != nil {
		t.Error(err)
	}
}

func TestRampRefuses(t *testing.T) {
	t.Parallel()
	e := valid()
	for name, err := range map[string]error{
		"before the start": e.Ramp(start, []float64{.4, .6}),
		"one arm":          e.Ramp(start.Add(1), []float64{1}),
		"no sum of 1":      e.Ramp(start.Add(1), []float64{.4, .5}),
	} {
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if len(e.Phases) != 1 {
		t.Errorf("phases %+v", e.Phases)
	}
}
