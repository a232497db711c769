package httpapi_test

import (
	"encoding/csv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestResultsAsCSV(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.post(t, "/experiments/start", strings.Replace(startBody, "one", "=one, \\\"two\\\"", 1)).want(t, 201)
	for _, path := range []string{"/experiments/results", "/experiments/019ab179-0000-7abc-8def-000000000000/results"} {
		got := s.send(t, "GET", path, "", "Accept: text/csv").want(t, 200)
		rows, err := csv.NewReader(strings.NewReader(string(got.Body))).ReadAll()
		if err != nil || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/csv") {
			t.Fatalf("%s: %v", path, err)
		}
		column, kinds := map[string]int{}, map[string][][]string{}
		for i, name := range rows[0] {
			column[name] = i
		}
		for _, row := range rows[1:] {
			kind := row[column["row"]]
			kinds[kind] = append(kinds[kind], row)
			if row[1] != `'=one, "two"` || row[2] != "running" {
				t.Errorf("%s: %v", path, row)
			}
		}
		has := func(kind string, cells map[string]string) {
			for _, row := range kinds[kind] {
				fits := true
				for name, value := range cells {
					fits = fits && row[column[name]] == value
				}
				if fits {
					return
				}
			}
			t.Errorf("%s: no row %s has %v among %v", path, kind, cells, kinds[kind])
		}
		has("metric", map[string]string{"metric": "good", "arm": "test", "primary": "true", "margin": ""})
		has("metric", map[string]string{"metric": "slow", "guardrail": "true", "margin": "0.02", "reading": "undecided"})
		has("arm", map[string]string{"metric": "latency_p50_ms", "arm": "test", "users": "100", "value": "0.9070313473737921"})
		has("segment", map[string]string{"segment": "key", "segment_value": "'=key", "exploratory": "true", "users": "200"})
		has("segment", map[string]string{"segment": "confidence", "difference": "", "reading": "not_compared"})
		has("look", map[string]string{"users": "200", "metric": "good", "p_value_always_valid": "1"})
		has("exposure", map[string]string{"users": "100", "arm": "control"})
		has("summary", map[string]string{"metric": "power"})
		has("summary", map[string]string{"metric": "verdict", "reading": "200 of 2,000 users have matured; no side is shown to be better yet."})
		if n := len(kinds["metric"]); n != 5 {
			t.Errorf("%s: %d metrics", path, n)
		}
	}
}

// A name that a spreadsheet would take for a formula comes with an apostrophe.
func TestNoNameIsAFormula(t *testing.T) {
	t.Parallel()
	s := serve(t)
	names := []string{"=1", "+1", "-1", "@1"}
	for _, name := range names {
		s.post(t, "/experiments/start", strings.Replace(startBody, `"one"`, strconv.Quote(name), 1)).want(t, 201)
	}
	got := s.send(t, "GET", "/experiments/results", "", "Accept: text/csv").want(t, 200)
	rows, err := csv.NewReader(strings.NewReader(string(got.Body))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, row := range rows[1:] {
		seen[row[1]] = true
	}
	for _, name := range names {
		if !seen["'"+name] || len(seen) != len(names) {
			t.Errorf("%q is not among %q", "'"+name, slices.Collect(maps.Keys(seen)))
		}
	}
}
