package event_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/schema"
)

func schemaJSON(tb testing.TB, fact string) []byte {
	tb.Helper()
	b, err := schema.Events.ReadFile("events/" + fact + ".v1.json")
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func compileSchema(tb testing.TB, fact string) *jsonschema.Schema {
	tb.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaJSON(tb, fact)))
	if err != nil {
		tb.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(fact, doc); err != nil {
		tb.Fatal(err)
	}
	s, err := c.Compile(fact)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func conforms(s *jsonschema.Schema, body []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

func TestFixturesConform(t *testing.T) {
	t.Parallel()
	s := compileSchema(t, event.TypeCompletionRecorded)
	for name, body := range fixtures(t) {
		if err := conforms(s, body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever Validate lets pass is what the schema promises to the world.
func TestGeneratedFactsConform(t *testing.T) {
	t.Parallel()
	s := compileSchema(t, event.TypeCompletionRecorded)
	rapid.Check(t, func(t *rapid.T) {
		fact := completions().Draw(t, "fact")
		if err := fact.Validate(); err != nil {
			t.Fatal(err)
		}
		body, err := event.Encode(fact)
		if err != nil {
			t.Fatal(err)
		}
		if err := conforms(s, body); err != nil {
			t.Fatalf("%s\n%v", body, err)
		}
		got, err := event.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, event.Fact(fact)) {
			t.Fatalf("decoded\n%+v\nwant\n%+v", got, fact)
		}
	})
}

// What the schema refuses, Decode refuses too: the worker relies on Decode,
// others on the schema.
func TestSchemaAndDecodeRefuseTheSame(t *testing.T) {
	t.Parallel()
	s := compileSchema(t, event.TypeCompletionRecorded)
	for _, change := range []struct {
		field string
		value any
	}{
		{"v", 2}, {"v", "1"}, {"type", "completion.forgotten"}, {"id", "5f0c1d2e-0000-4000-8000-000000000000"},
		{"id", 7}, {"at", "yesterday"}, {"journal", ""}, {"partition", -1}, {"partition", 1 << 16}, {"seq", 0},
		{"seq", 1.5}, {"seq", 1<<53 + 2}, {"project", ""}, {"project", strings.Repeat("p", 1025)},
		{"user_id", "a\x00b"}, {"metadata", map[string]any{"a": 1}}, {"strategy", ""}, {"propensity", 1.01},
		{"complexity", -0.01}, {"status", "fine"}, {"cache", "disk"}, {"tokens_in", -1}, {"tokens_out", 1<<40 + 1},
		{"cost_nanos", -1}, {"cost_nanos", 0.5}, {"latency_us", 1<<53 + 2}, {"snapshot", -1}, {"fallbacks", "small"},
		{"holdout", 1}, {"candidates", []any{map[string]any{"model": "m", "quality": 2, "cost_nanos": 0, "probability": 0}}},
		{"candidates", []any{map[string]any{"model": "m", "quality": 0, "cost_nanos": -1, "probability": 0}}},
	} {
		v := jsonValue(t, fixtures(t)["typical"]).(map[string]any)
		v[change.field] = change.value
		body, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if conforms(s, body) == nil {
			t.Errorf("the schema accepts %s = %v", change.field, change.value)
		}
		if _, err := event.Decode(body); err == nil {
			t.Errorf("Decode accepts %s = %v", change.field, change.value)
		}
	}
}

type description struct {
	Description string
	Properties  map[string]description
	Items       *description
	Required    []string
}

// The struct and the schema name the same fields; a field without omitempty
// is required; every field is described.
func TestSchemaDescribesEveryField(t *testing.T) {
	t.Parallel()
	for fact, typ := range map[string]reflect.Type{
		event.TypeCompletionRecorded: reflect.TypeFor[event.CompletionRecorded](),
		event.TypeFeedbackRecorded:   reflect.TypeFor[event.FeedbackRecorded](),
		event.TypeModelPublished:     reflect.TypeFor[event.ModelPublished](),
		event.TypeGuardTripped:       reflect.TypeFor[event.GuardTripped](),
		event.TypeExperimentStarted:  reflect.TypeFor[event.ExperimentStarted](),
		event.TypeExperimentDecided:  reflect.TypeFor[event.ExperimentDecided](),
	} {
		var root description
		if err := json.Unmarshal(schemaJSON(t, fact), &root); err != nil {
			t.Fatal(err)
		}
		compareFields(t, fact+" ", typ, root)
	}
}

func compareFields(t *testing.T, at string, typ reflect.Type, d description) {
	all, required := map[string]bool{}, map[string]bool{}
	for _, field := range reflect.VisibleFields(typ) {
		if field.Anonymous {
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		all[name] = true
		required[name] = options == ""
		property, ok := d.Properties[name]
		if !ok || property.Description == "" {
			t.Errorf("%s%s is not described in the schema", at, name)
		}
		if field.Type.Kind() == reflect.Slice && field.Type.Elem().Kind() == reflect.Struct {
			compareFields(t, at+name+".", field.Type.Elem(), *property.Items)
		}
	}
	for name := range d.Properties {
		if !all[name] {
			t.Errorf("%s%s is in the schema, but not in %s", at, name, typ)
		}
	}
	maps.DeleteFunc(required, func(_ string, is bool) bool { return !is })
	want := slices.Sorted(maps.Keys(required))
	slices.Sort(d.Required)
	if !slices.Equal(d.Required, want) {
		t.Errorf("%srequired is\n%v, want\n%v", at, d.Required, want)
	}
}

// completions generates facts that Validate accepts.
func completions() *rapid.Generator[*event.CompletionRecorded] {
	text := rapid.String().Filter(func(s string) bool { return !strings.ContainsRune(s, 0) })
	key := rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r != 0 }), 1, 64, 1024)
	maybeKey := rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r != 0 }), 0, 64, 1024)
	texts := rapid.SliceOfN(text, 0, 3)
	share := rapid.Float64Range(0, 1)
	amount := rapid.Int64Range(0, 1<<53)
	tokens := rapid.Int64Range(0, 1<<40)
	arm := rapid.Custom(func(t *rapid.T) event.Arm {
		return event.Arm{Experiment: text.Draw(t, "experiment"), Arm: text.Draw(t, "arm")}
	})
	candidate := rapid.Custom(func(t *rapid.T) event.Candidate {
		return event.Candidate{Model: text.Draw(t, "model"), Quality: share.Draw(t, "quality"), Prior: share.Draw(t, "prior"),
			CostNanos: amount.Draw(t, "cost"), Probability: share.Draw(t, "probability")}
	})
	return rapid.Custom(func(t *rapid.T) *event.CompletionRecorded {
		c := event.NewCompletion(ids().Draw(t, "id"))
		c.Journal, c.Partition = key.Draw(t, "journal"), rapid.IntRange(0, 65535).Draw(t, "partition")
		c.Seq = rapid.Int64Range(1, 1<<53).Draw(t, "seq")
		c.Project, c.UserID = key.Draw(t, "project"), key.Draw(t, "user_id")
		c.KeyID, c.SessionID, c.CallerID = text.Draw(t, "key_id"), maybeKey.Draw(t, "session_id"), maybeKey.Draw(t, "caller_id")
		c.Metadata = unlessEmptyMap(rapid.MapOfN(text, text, 0, 3).Draw(t, "metadata"))
		c.Strategy, c.PlannedModel = key.Draw(t, "strategy"), text.Draw(t, "planned_model")
		c.Experiments = unlessEmpty(rapid.SliceOfN(arm, 0, 2).Draw(t, "experiments"))
		c.Holdout, c.Unpriced, c.Estimated = rapid.Bool().Draw(t, "holdout"), rapid.Bool().Draw(t, "unpriced"), rapid.Bool().Draw(t, "estimated")
		c.Propensity, c.Complexity = share.Draw(t, "propensity"), share.Draw(t, "complexity")
		c.Snapshot = rapid.Int64Min(0).Draw(t, "snapshot")
		c.Confidence, c.Reason = text.Draw(t, "confidence"), text.Draw(t, "reason")
		c.Candidates = unlessEmpty(rapid.SliceOfN(candidate, 0, 3).Draw(t, "candidates"))
		c.Features = unlessEmpty(rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "features"))
		if rapid.Bool().Draw(t, "reused") {
			c.OriginID = ids().Draw(t, "origin_id")
		}
		c.Provider, c.Model = text.Draw(t, "provider"), maybeKey.Draw(t, "model")
		c.Status = rapid.SampledFrom([]string{"ok", "cut_off", "empty", "error", "canceled", "interrupted"}).Draw(t, "status")
		c.Cache = rapid.SampledFrom([]string{"miss", "memory", "redis", "postgres"}).Draw(t, "cache")
		c.CacheMatch = rapid.SampledFrom([]string{"", "exact", "similar", "in_flight"}).Draw(t, "cache_match")
		c.Implicit = rapid.SampledFrom([]string{"", "cut_off", "empty", "refused", "invalid_json"}).Draw(t, "implicit")
		c.TokensInCacheWrite = tokens.Draw(t, "tokens_in_cache_write")
		c.ErrorKind, c.FinishReason = text.Draw(t, "error_kind"), text.Draw(t, "finish_reason")
		c.Fallbacks, c.Degraded = unlessEmpty(texts.Draw(t, "fallbacks")), unlessEmpty(texts.Draw(t, "degraded"))
		c.TokensIn, c.TokensInCached = tokens.Draw(t, "tokens_in"), tokens.Draw(t, "tokens_in_cached")
		c.TokensOut, c.TokensReasoning = tokens.Draw(t, "tokens_out"), tokens.Draw(t, "tokens_reasoning")
		c.CostNanos, c.OriginCostNanos, c.BaselineCostNanos = amount.Draw(t, "cost"), amount.Draw(t, "origin"), amount.Draw(t, "baseline")
		c.BaselineModel, c.PriceVersion = text.Draw(t, "baseline_model"), text.Draw(t, "price_version")
		c.LatencyUS, c.TTFTUS, c.OverheadUS = amount.Draw(t, "latency"), amount.Draw(t, "ttft"), amount.Draw(t, "overhead")
		return c
	})
}

// ids generates UUIDv7 of every millisecond that is in range.
func ids() *rapid.Generator[uuid.UUID] {
	from := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	to := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	return rapid.Custom(func(t *rapid.T) uuid.UUID {
		id := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "random"))
		ms := rapid.Int64Range(from, to-1).Draw(t, "ms")
		for i := range 6 {
			id[i] = byte(ms >> (40 - 8*i))
		}
		id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
		return id
	})
}

// unlessEmpty is nil for what the JSON leaves out.
func unlessEmpty[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

func unlessEmptyMap(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}
