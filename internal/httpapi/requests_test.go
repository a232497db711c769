package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/requests"
)

// fakeRequests has one request on record, and notes what is asked for.
type fakeRequests struct {
	err error

	mu    sync.Mutex
	asked requests.Query
}

var recorded = func() requests.Record {
	text := func(s string) *string { return &s }
	origin := uuid.Must(uuid.NewV7())
	r := requests.Record{
		Entry: requests.Entry{ID: eventtest.ID(rand.New(rand.NewPCG(1, 1)), sampleTime), At: sampleTime, UserID: text("ada"), Strategy: "complexity",
			Confidence: text("high"), PlannedModel: "small", Provider: text("simulated"), Model: text("medium"), Status: event.StatusOK,
			FinishReason: text("stop"), Fallbacks: []string{"small"}, Degraded: []string{"redis"}, Cache: event.CacheMiss,
			Experiments: []event.Arm{{Experiment: "e", Arm: "test"}}, TokensIn: 12, TokensOut: 80, CostUSD: 329_600, BaselineCostUSD: 1_236_000,
			SavingsUSD: 906_400, LatencyMS: 812.4, TTFTMS: 90, OverheadMS: .09},
		Project: event.DefaultProject, Metadata: map[string]string{"team": "blue"}, OriginID: &origin, CacheMatch: text("exact"),
		Plan: requests.Plan{Reason: text("Short factual question."), Complexity: .1, Propensity: 1,
			Candidates: []requests.Candidate{{Model: "small", Quality: .9, CostUSD: 95_400, Probability: 1}}},
		Feedback: []requests.Feedback{{Quality: 1, Rating: new(5), State: "learned"}},
		Cost:     requests.Cost{CostNanos: 329_600, OriginNanos: 329_600, BaselineNanos: 1_236_000, BaselineModel: "large", PriceVersion: text("v")},
		Ledger:   requests.Place{Journal: "j", Seq: 7, PersistedAt: sampleTime.Add(time.Second)},
	}
	r.Attempts = r.Asked()
	r.Explain(pricing.Price{Input: 800_000_000, CachedInput: 80_000_000, Output: 4_000_000_000})
	return r
}()

func (f *fakeRequests) Find(_ context.Context, _ string, q requests.Query) (requests.Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = q
	page := requests.Page{Requests: []requests.Entry{recorded.Entry}}
	if q.Limit == 1 {
		page.GoOn(requests.Cursor(recorded.ID), recorded.At)
	}
	return page, f.err
}

func (f *fakeRequests) Request(_ context.Context, _ string, id uuid.UUID) (requests.Record, error) {
	if f.err == nil && id != recorded.ID {
		return requests.Record{}, requests.ErrUnknown
	}
	return recorded, f.err
}

func TestFindRequests(t *testing.T) {
	t.Parallel()
	fake := new(fakeRequests)
	s := serve(t, func(s *setup) { s.requests = fake })
	yes, no := true, false
	cursor := requests.Cursor(recorded.ID)
	for query, want := range map[string]requests.Query{
		"":         {Limit: 50},
		"?limit=1": {Limit: 1},
		"?user_id=ada&user_id=bob&session_id=s&caller_id=c&key_id=k": {Limit: 50, Filter: requests.Filter{Users: []string{"ada", "bob"},
			Sessions: []string{"s"}, CallerIDs: []string{"c"}, KeyIDs: []string{"k"}}},
		"?model=small&provider=openai&strategy=model&confidence=low&status=ok&status=empty&error=timeout&experiment=e": {Limit: 50,
			Filter: requests.Filter{Models: []string{"small"}, Providers: []string{"openai"}, Strategies: []string{"model"}, Confidences: []string{"low"},
				Statuses: []string{"ok", "empty"}, ErrorKinds: []string{"timeout"}, Experiments: []string{"e"}}},
		"?cache=hit": {Limit: 50, Filter: requests.Filter{Caches: []string{"hit", "memory", "redis", "postgres"}}},
		"?failed=true&holdout=false&degraded=true&fallbacks=false": {Limit: 50,
			Filter: requests.Filter{Failed: &yes, Holdout: &no, Degraded: &yes, Fallbacks: &no}},
		"?min_cost_usd=0.00002&min_savings_usd=1&min_latency_ms=0.5": {Limit: 50,
			Filter: requests.Filter{MinCostNanos: 20_000, MinSavingsNanos: 1_000_000_000, MinLatencyUS: 500}},
		"?from=2026-11-23T12:00:00Z&to=2026-11-24T12:00:00%2B01:00": {Limit: 50, Filter: requests.Filter{
			From: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 24, 12, 0, 0, 0, time.FixedZone("", 3600))}},
		"?cursor=" + cursor.String(): {Limit: 50, Before: cursor},
	} {
		var page struct {
			Requests []struct {
				RequestID string `json:"request_id"`
			}
			Next *string `json:"next_cursor"`
		}
		s.send(t, "GET", "/requests"+query, "").want(t, 200).decode(t, &page)
		if len(page.Requests) != 1 || page.Requests[0].RequestID != recorded.ID.String() || (page.Next != nil) != (want.Limit == 1) {
			t.Errorf("%q answers %+v", query, page)
		}
		if got := said(fake.asked); got != said(want) {
			t.Errorf("%q asks for\n%s, want\n%s", query, got, said(want))
		}
	}
}

// said is a query without its pointers, and with its times in UTC.
func said(q requests.Query) string {
	var b strings.Builder
	v := reflect.ValueOf(q.Filter)
	for i := range v.NumField() {
		switch f := v.Field(i).Interface().(type) {
		case *bool:
			if f != nil {
				fmt.Fprintf(&b, "%s=%t ", v.Type().Field(i).Name, *f)
			}
		case time.Time:
			fmt.Fprintf(&b, "%s ", f.UTC())
		default:
			fmt.Fprintf(&b, "%v ", f)
		}
	}
	return fmt.Sprint(b.String(), q.Before, q.Limit)
}

func TestBadRequestQueries(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for query, fields := range map[string]string{
		"limit=0":                                           "limit",
		"limit=501":                                         "limit",
		"limit=ten&cursor=x&page=2":                         "cursor,limit,page",
		"cursor=AAAAAAAAAAAAAAAAAAAAAA":                     "cursor",
		"cursor=" + uuid.NewString():                        "cursor",
		"cursor=" + strings.Repeat("A", 9999):               "cursor",
		"status=OK&cache=hot&confidence=1":                  "cache,confidence,status",
		"failed=1&holdout=yes":                              "failed,holdout",
		"min_cost_usd=-1&min_latency_ms=NaN":                "min_cost_usd,min_latency_ms",
		"min_cost_usd=0.0000000001":                         "min_cost_usd",
		"min_latency_ms=1e300":                              "min_latency_ms",
		"from=yesterday&to=2026-11-23":                      "from,to",
		"from=2026-11-23T12:00:00Z&to=2026-11-23T12:00:00Z": "to",
		"from=9999-11-23T12:00:00Z":                         "from",
		"failed=true&failed=false":                          "failed",
		"user_id=%ff":                                       "user_id",
		"user_id=%00":                                       "user_id",
		strings.Repeat("user_id=a&", 101):                   "user_id",
	} {
		got := s.send(t, "GET", "/requests?"+query, "").want(t, 422)
		if p := got.problem(t); strings.Join(p.fields(), ",") != fields || len(got.Body) > 1200 {
			t.Errorf("%.60s names %v in %d bytes, want %s", query, p.fields(), len(got.Body), fields)
		}
	}
	s.send(t, "GET", "/requests?user_id=a;b", "").want(t, 400)
	s.send(t, "GET", "/requests/"+recorded.ID.String()+"?x=1", "").want(t, 422)
}

func TestOneRequest(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var r struct {
		RequestID string `json:"request_id"`
		Attempts  []struct{ Model, Outcome string }
		Cost      struct {
			CostNanos int64 `json:"cost_nanos"`
			Lines     []struct {
				Tokens int64
				Price  int64 `json:"nanos_per_mtok"`
			}
		}
	}
	s.send(t, "GET", "/requests/"+recorded.ID.String(), "").want(t, 200).decode(t, &r)
	sum := int64(500_000)
	for _, l := range r.Cost.Lines {
		sum += l.Tokens * l.Price
	}
	if r.RequestID != recorded.ID.String() || len(r.Attempts) != 2 || r.Attempts[0].Outcome != "failed" || r.Attempts[1].Outcome != "answered" ||
		r.Cost.CostNanos == 0 || sum/1_000_000 != r.Cost.CostNanos {
		t.Errorf("%+v", r)
	}
}

func TestUnknownRequests(t *testing.T) {
	t.Parallel()
	s := serve(t)
	old := eventtest.ID(rand.New(rand.NewPCG(2, 2)), time.Now().Add(-time.Hour))
	future := eventtest.ID(rand.New(rand.NewPCG(3, 3)), time.Now().Add(time.Hour))
	for id, again := range map[string]string{
		uuid.Must(uuid.NewV7()).String(): "1", old.String(): "", future.String(): "", uuid.NewString(): "", "x": "", "%00": "",
		strings.Repeat("x", 9999): "", "{" + recorded.ID.String() + "}": "", "urn:uuid:" + recorded.ID.String(): "",
	} {
		got := s.send(t, "GET", "/requests/"+id, "").want(t, 404)
		if p := got.problem(t); !strings.HasSuffix(p.Type, ":unknown-request") || p.Detail == "" || got.Header.Get("Retry-After") != again || len(got.Body) > 500 {
			t.Errorf("%.60s: Retry-After %q, want %q; %s", id, got.Header.Get("Retry-After"), again, got.Body)
		}
	}
}

func TestRequestsWithoutADatabase(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) {
		s.requests = &fakeRequests{err: errors.New("dial tcp 10.0.0.7:5432: connection refused")}
	})
	for _, path := range []string{"/requests", "/requests/" + recorded.ID.String()} {
		got := s.send(t, "GET", path, "").want(t, 503)
		if p := got.problem(t); got.Header.Get("Retry-After") == "" || strings.Contains(string(got.Body), "10.0.0.7") ||
			!strings.HasSuffix(p.Type, ":stores-unavailable") || !strings.Contains(p.Detail, "PostgreSQL") {
			t.Errorf("%s: Retry-After %q, %s", path, got.Header.Get("Retry-After"), got.Body)
		}
	}
}
