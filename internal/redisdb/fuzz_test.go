package redisdb

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/rollup"
)

// reply is a script's answer as the client gives it: integers, texts and lists.
func reply(text string) any {
	var v any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&v) != nil {
		return nil
	}
	return asReply(v)
}

func asReply(v any) any {
	switch v := v.(type) {
	case json.Number:
		n, _ := v.Int64()
		return n
	case []any:
		for i := range v {
			v[i] = asReply(v[i])
		}
		return v
	case string:
		return v
	}
	return nil
}

// FuzzReplies: whatever somebody has put in the place of a script's answer is
// read, as numbers that can be counted with, or refused.
func FuzzReplies(f *testing.F) {
	for _, seed := range []string{`[0, "1", "2", "3", "4", "5", "a b", 1]`, `[2, 1, [[0, "1.5", "0", "1", "2", "3", 0]]]`, `[2, 1, [[0, "NaN", "Inf", "-1", "0x1p9", "1e999", 0]]]`, `[2, 1, [[0, "NaN", "Inf", "-1", "0x1p9", "9", 0]]]`,
		`[1, "1-1", "1-2", [["1-1", ["kept", "12345678"]], ["1-2", ["gone", "x"]], 7, ["a"], ["1-3", null]]]`, `[]`, `[1]`, `null`, `["", "", "", ""]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, _ := reply(text).([]any)
		_, _ = parseBudgetReply(reply(text))
		for reports := range 3 {
			a, err := parseLimitAnswer(list, reports)
			if err != nil {
				continue
			}
			if len(a.Replies) != reports {
				t.Errorf("%d replies to %d reports", len(a.Replies), reports)
			}
			for _, r := range a.Replies {
				for _, x := range []float64{r.Share, r.Level, r.Keep, r.Pool, r.Others} {
					if math.IsNaN(x) || math.IsInf(x, 0) {
						t.Errorf("%v in %s", x, text)
					}
				}
			}
		}
		if _, _, _, entries := parseChanges(list); len(entries) > len(text) {
			t.Errorf("%d changes in %s", len(entries), text)
		}
	})
}

// FuzzChange: a change names no more than it holds.
func FuzzChange(f *testing.F) {
	f.Add(keptField, "123456789")
	f.Add(goneField, "short")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, field, value string) {
		c := parseChange(field, value)
		if len(c.Kept) > len(value)/8 || field != keptField && c.Kept != nil || field != goneField && c.Owner != (cache.Owner{}) {
			t.Errorf("%+v of %q %q", c, field, value)
		}
	})
}

// FuzzAccountKey: an account's name is read as it was written, and no two are
// the same, whatever a project is called.
func FuzzAccountKey(f *testing.F) {
	f.Add("key", "month", int64(1), "a:b")
	f.Add("project", "day", int64(-1), "")
	f.Fuzz(func(t *testing.T, scope, period string, began int64, name string) {
		a, err := parseAccountKey(accountKey(budget.Account{Scope: budget.Scope(scope), Period: budget.Period(period), Began: began, Name: name}))
		if strings.ContainsAny(scope+period, ":") {
			return // these two are from a list
		}
		if err != nil || string(a.Scope) != scope || string(a.Period) != period || a.Began != began || a.Name != name {
			t.Errorf("%q %q %d %q became %+v (%v)", scope, period, began, name, a, err)
		}
		_, _ = parseAccountKey(name)
		_, _ = parseTail(map[string]string{name: scope, "u:" + name: period, "m": name})
	})
}

// FuzzSubtotal: what a store gives of counters is read, into cells that can be
// added up, or refused.
func FuzzSubtotal(f *testing.F) {
	of := func(window, name string) rollup.ProjectCell {
		c := &rollup.Cell{Requests: 3, CostNanos: -1}
		c.Latency.Count(7, 2)
		c.Latency.Count(900, 1)
		return rollup.ProjectCell{Project: "p", Key: rollup.Key{Window: window, Dim: rollup.Dim{Kind: "model", Name: name}}, Cell: c}
	}
	f.Add(encodeSubtotal(&rollup.Subtotal{At: time.Unix(1_790_000_000, 5), Sums: []rollup.ProjectCell{of("1m", "small"), of("1m", ""), of("", "large")}}))
	f.Add([]byte(`{"at": "2026-01-01T00:00:00Z", "sums": {}}`))
	f.Add([]byte{subtotalKind, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := decodeSubtotal(body)
		if err != nil {
			return
		}
		for _, c := range s.Sums {
			if c.Cell == nil {
				t.Fatalf("no cell in %q", body)
			}
			new(rollup.Cell).Add(*c.Cell)
		}
		if again, err := decodeSubtotal(encodeSubtotal(&s)); err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%+v reads back as %+v (%v)", s, again, err)
		}
	})
}

// FuzzAddress: an address is read, or refused in words that do not hold its
// password.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"redis://u:hunter2@h:1/0", "rediss+sentinel://:hunter2@a:1,b:2/mymaster/3?x=y", "redis+cluster://a,b", "://", "redis://%zz:hunter2@/", "redis://[::1]:6379"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := parseAddress(raw); err != nil && strings.Contains(raw, "hunter2") && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	})
}
