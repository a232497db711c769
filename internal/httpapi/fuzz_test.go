package httpapi_test

import (
	"bytes"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// FuzzComplete: whatever is posted is answered or refused as documented,
// recorded when it is answered, and never our mistake.
func FuzzComplete(f *testing.F) {
	for _, seed := range slices.Concat(unreadable(), badPrompts(), badMessages(), badFields()) {
		if len(seed.body) < 10_000 {
			f.Add([]byte(seed.body))
		}
	}
	f.Add([]byte(`{"prompt": "a", "max_tokens": 10, "temperature": 1, "user_id": "u", "model": "small", "metadata": {"k": "v"}}`))
	f.Add([]byte(`{"messages": [{"role": "system", "content": "\ud83d\ude00"}, {"role": "user", "content": "b"}], "stream": false}`))
	s := build()
	f.Fuzz(func(t *testing.T, body []byte) {
		s.Ledger.forget()
		r := httptest.NewRequestWithContext(t.Context(), "POST", "http://localhost/complete", bytes.NewReader(body))
		got := s.record(r)
		validate(t, r, got)
		intents, facts := s.Ledger.counts()
		switch got.Status {
		case 200:
			if intents != 1 || facts != 1 {
				t.Errorf("answered with %d intents and %d facts", intents, facts)
			}
		case 400, 413, 422:
			p := got.problem(t)
			if intents > 0 || facts > 0 {
				t.Error("a refused request was recorded")
			}
			if fields := len(p.Errors) > 0; fields != strings.HasSuffix(p.Type, ":invalid-request") {
				t.Errorf("%s has %d errors", p.Type, len(p.Errors))
			}
		default:
			t.Errorf("status %d: %s", got.Status, got.Body)
		}
	})
}

func (l *fakeLedger) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.intents, l.facts, l.verdict = nil, nil, nil
}
