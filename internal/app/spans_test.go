package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// spans collect what is told of traces, by trace.
type spans struct {
	*httptest.Server
	mu   sync.Mutex
	told map[string][]span
	made int
}

type span struct {
	TraceID, Name, ParentSpanID string
	Kind                        int
	StartTimeUnixNano           string
	Attributes                  []struct {
		Key   string
		Value json.RawMessage
	}
}

func newSpans(t *testing.T) *spans {
	t.Helper()
	s := &spans{told: map[string][]span{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var all struct {
			ResourceSpans []struct{ ScopeSpans []struct{ Spans []span } }
		}
		if err != nil || json.Unmarshal(body, &all) != nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, of := range all.ResourceSpans {
			for _, in := range of.ScopeSpans {
				for _, one := range in.Spans {
					s.told[one.TraceID] = append(s.told[one.TraceID], one)
				}
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

type trace string

func (s *spans) next() trace {
	s.made++
	return trace(fmt.Sprintf("%032x", s.made))
}

const callersSpan = "b7ad6b7169203331"

func (t trace) parent() string { return "00-" + string(t) + "-" + callersSpan + "-01" }

// of is the work of a request: its spans in their order, with what they say.
func (s *spans) of(h *house, t trace) string {
	h.t.Helper()
	var told []span
	h.until("a trace is told", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		told = slices.Clone(s.told[string(t)])
		return slices.ContainsFunc(told, func(one span) bool { return one.ParentSpanID == callersSpan })
	})
	slices.SortStableFunc(told, func(a, b span) int { return strings.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano) })
	var b strings.Builder
	for _, one := range told {
		fmt.Fprintf(&b, "%d %s", one.Kind, one.Name)
		for _, a := range one.Attributes {
			if !strings.Contains(a.Key, "time_") && !strings.HasSuffix(a.Key, "_ms") && a.Key != "busu.snapshot" {
				fmt.Fprintf(&b, " %s=%s", a.Key, blur(string(a.Value)))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
