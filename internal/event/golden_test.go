package event_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

// golden is what each file of testdata/v1 means, for ever: journals, streams
// and other people's archives hold events of version 1. Add fixtures, but
// never change one.
func golden() map[string]*event.CompletionRecorded {
	return map[string]*event.CompletionRecorded{
		"typical": {
			Header: header("01a20939-9bdb-7c3d-a1b2-1234567890ab", time.Date(2026, 11, 23, 16, 25, 0, 123e6, time.UTC),
				"019ab179-0000-7abc-8def-000000000001", 3, 4711),
			Project: "default", KeyID: "key_7f3a", UserID: "user-42", SessionID: "session-9",
			CallerID: "checkout-0017", Metadata: map[string]string{"plan": "pro", "team": "search"},
			Strategy: "complexity", Experiments: []event.Arm{{Experiment: "exp-cheaper-small", Arm: "test"}},
			PlannedModel: "small", Propensity: 0.9, Snapshot: 12, Complexity: 0.42, Confidence: "high",
			Reason: "A short question without code goes to a small model.",
			Candidates: []event.Candidate{
				{Model: "small", Quality: 0.83, CostNanos: 61500, Probability: 0.9},
				{Model: "medium", Quality: 0.91, CostNanos: 412000, Probability: 0.1},
			},
			Provider: "openai", Model: "medium", Status: "ok", FinishReason: "stop",
			Fallbacks: []string{"small"}, Degraded: []string{"experiments"}, Cache: "miss",
			TokensIn: 230, TokensInCached: 128, TokensOut: 95, TokensReasoning: 40,
			CostNanos: 398250, OriginCostNanos: 398250, BaselineCostNanos: 1525000,
			BaselineModel: "large", PriceVersion: "2026-11",
			LatencyUS: 812400, TTFTUS: 240100, OverheadUS: 310,
		},
		"minimal": {
			Header:  header("016f5e66-e800-7000-8000-000000000000", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), "worker", 0, 1),
			Project: "default", Strategy: "explicit", PlannedModel: "small", Status: "ok", Cache: "memory",
			BaselineModel: "large",
		},
		"failed": {
			Header: header("01a20939-a13c-7fff-bfff-ffffffffffff", time.Date(2026, 11, 23, 16, 25, 1, 5e8, time.UTC),
				"019ab179-0000-7abc-8def-000000000001", 0, 4712),
			Project: "default", UserID: "user-42", Strategy: "hybrid", PlannedModel: "large", Propensity: 1,
			Complexity: 0.97, Confidence: "low", Provider: "simulated", Model: "medium", Status: "error",
			ErrorKind: "rate_limit", Fallbacks: []string{"large", "medium"}, Cache: "miss",
			BaselineModel: "large", Unpriced: true, LatencyUS: 30e6, TTFTUS: 30e6, OverheadUS: 1250,
		},
		"interrupted": {
			Header: header("01a20939-a331-7e57-9e57-5e5e5e5e5e5e", time.Date(2026, 11, 23, 16, 25, 2, 1e6, time.UTC),
				"019ab179-ffff-7abc-8def-000000000002", 255, 1<<53),
			Project: "default", UserID: "user-7", Strategy: "complexity", Holdout: true, PlannedModel: "large",
			Propensity: 1, Complexity: 1, Provider: "openai", Model: "large", Status: "interrupted", Cache: "miss",
			TokensIn: 1 << 40, TokensOut: 1000,
			CostNanos: 1 << 53, OriginCostNanos: 1 << 53, BaselineCostNanos: 1 << 53,
			BaselineModel: "large", PriceVersion: "2026-11", Estimated: true,
		},
		"unicode": {
			Header: header("03bb2cc3-d7ff-7123-b456-0123456789ab", time.Date(2099, 12, 31, 23, 59, 59, 999e6, time.UTC),
				"journal-é", 1, 2),
			Project: "größe", UserID: "Ω用户🙂", CallerID: "<script>&\u2028\u2029",
			Metadata: map[string]string{"ключ": "значение\t\"\\", "": "\x01"},
			Strategy: "complexity", PlannedModel: "小", Propensity: 1e-9, Complexity: 0.30000000000000004,
			Reason: "שלום e\u0301 👩‍👩‍👧 😀", Status: "cut_off", FinishReason: "length", Cache: "postgres",
			TokensIn: 1, TokensOut: 1, OriginCostNanos: 75, BaselineCostNanos: 75, BaselineModel: "小",
			LatencyUS: 1, TTFTUS: 1, OverheadUS: 1,
		},
	}
}

func header(id string, at time.Time, journal string, partition int, seq int64) event.Header {
	return event.Header{V: 1, Type: "completion.recorded", ID: uuid.MustParse(id), At: at,
		Journal: journal, Partition: partition, Seq: seq}
}

// fixtures are the files of testdata/v1 by name.
func fixtures(tb testing.TB) map[string][]byte {
	tb.Helper()
	paths, err := filepath.Glob("testdata/v1/*.json")
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no fixtures: %v", err)
	}
	bodies := map[string][]byte{}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		bodies[strings.TrimSuffix(filepath.Base(path), ".json")] = body
	}
	return bodies
}

func TestGolden(t *testing.T) {
	t.Parallel()
	want := golden()
	bodies := fixtures(t)
	if len(bodies) != len(want) {
		t.Errorf("%d fixtures, %d expected", len(bodies), len(want))
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := event.Decode(body)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, event.Fact(want[name])) {
				t.Errorf("decoded\n%+v\nwant\n%+v", got, want[name])
			}
			again, err := event.Encode(got)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(jsonValue(t, again), jsonValue(t, body)) {
				t.Errorf("encoded again\n%s\nwant\n%s", again, body)
			}
		})
	}
}

// jsonValue is what body says, with numbers as they are written.
func jsonValue(tb testing.TB, body []byte) any {
	tb.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		tb.Fatal(err)
	}
	return v
}
