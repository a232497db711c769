package httpapi_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/statement"
	"github.com/busuhq/busu/internal/usage"
)

// fakeAccounts has one row and one statement, and remembers what it was asked.
type fakeAccounts struct {
	mu      sync.Mutex
	asked   usage.Query
	project string
	signed  bool
	err     error
}

func (f *fakeAccounts) Usage(_ context.Context, q usage.Query) (usage.Report, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = q
	row := usage.Row{Figures: usage.Figures{Requests: 3, Errors: 1, TokensIn: 10, TokensOut: 20, Cost: 1_500_000, Baseline: 9_000_000_000}}
	if q.Has(usage.Key) {
		row.Key = new("")
	}
	if q.Has(usage.Model) {
		row.Model = new("=large")
	}
	if q.Has(usage.Day) {
		row.Day = new("2026-11-01")
	}
	r, err := usage.NewReport(q, []usage.Row{row}, 2)
	return r, errors.Join(err, f.err)
}

func (f *fakeAccounts) Statement(_ context.Context, project string, m statement.Month) (statement.Statement, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.project = project
	e := statement.Evidence{Project: project, Month: m, AsOf: m.To().Add(time.Hour), Counted: m.To().Add(time.Hour), Groups: savings.Tally{Limit: math.Inf(1)}}
	e.Watermark = m.To()
	l := statement.Line{Part: statement.PartRouted, Model: "small", KeyID: "k", BaselineModel: "large", PriceVersion: "v"}
	l.Requests, l.PaidNanos, l.BaselineNanos, l.UserRequests = 2, 100, math.MaxInt64, 1
	e.Lines = []statement.Line{l}
	e.Rollups = l.Sums
	for range 60 {
		e.Groups.Routed.Add(savings.Unit{Requests: 1, CostNanos: int64(50 + e.Groups.Routed.Users()), Good: 1}, math.Inf(1))
		e.Groups.Holdout.Add(savings.Unit{Requests: 1, CostNanos: int64(5000 + 10*e.Groups.Holdout.Users()), Good: 1}, math.Inf(1))
	}
	s, err := statement.New(e)
	if err == nil && f.signed {
		if _, err = s.Charge(1000); err == nil {
			s, err = s.Sign(statementKey(), false)
		}
	}
	return s, errors.Join(err, f.err)
}

func statementKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

func TestUsage(t *testing.T) {
	t.Parallel()
	f := new(fakeAccounts)
	s := serve(t, func(s *setup) { s.accounts = f })
	got := s.send(t, "GET", "/usage?from=2026-10-01&to=2026-11-01&by=day,model", "").want(t, 200)
	if q := f.asked; q.From.Format(time.DateOnly) != "2026-10-01" || q.To.Format(time.DateOnly) != "2026-11-01" || q.Project != "" ||
		len(q.By) != 2 || q.By[0] != usage.Model || q.By[1] != usage.Day {
		t.Errorf("asked is %+v", q)
	}
	if !strings.Contains(string(got.Body), `"cost_usd":0.0015`) || !strings.Contains(string(got.Body), `"source":"rollups"`) {
		t.Errorf("%s", got.Body)
	}
	s.send(t, "GET", "/usage?project=acme", "").want(t, 200)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	if q := f.asked; q.Project != "acme" || q.To.Sub(q.From) != 30*24*time.Hour || q.To.Before(today) {
		t.Errorf("asked is %+v", q)
	}
	const table = "key_id,model,day,requests,errors,tokens_in,tokens_out,cost_usd,baseline_cost_usd\n,'=large,2026-11-01,3,1,10,20,0.0015,9\n"
	for _, asked := range [][]string{{"/usage?by=key,model,day&format=csv"}, {"/usage?by=key,model,day", "Accept: text/csv"}} {
		csv := s.send(t, "GET", asked[0], "", asked[1:]...).want(t, 200)
		if string(csv.Body) != table || !strings.HasPrefix(csv.Header.Get("Content-Type"), "text/csv") {
			t.Errorf("%s: %q", asked, csv.Body)
		}
	}
}

func TestUsageIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for query, field := range map[string]string{
		"from=2026-11-02&to=2026-11-02":             "to",
		"from=2026-11-02T00:00:00Z":                 "from",
		"to=tomorrow":                               "to",
		"by=strategy":                               "by",
		"by=day,day":                                "by",
		"by=,":                                      "by",
		"from=1970-01-01&to=2026-01-01":             "from",
		"from=2010-01-01&to=2026-01-01":             "from",
		"from=2026-01-01&to=2026-11-01&by=user":     "from",
		"from=2026-01-01&to=2026-11-01&by=key":      "from",
		"format=xml":                                "format",
		"window=7d":                                 "window",
		"from=2026-11-01&from=2026-11-02":           "from",
		"from=2026-11-01&to=2026-11-05&group=model": "group",
	} {
		p := s.send(t, "GET", "/usage?"+query, "").want(t, 422).problem(t)
		if len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%s: %+v", query, p.Errors)
		}
	}
	for _, path := range []string{"/statements/2026-13", "/statements/november", "/statements/2026-11?share=0.2", "/statements/2026-11?format=pdf"} {
		s.send(t, "GET", path, "").want(t, 422)
	}
	s = serve(t, func(s *setup) { s.accounts = &fakeAccounts{err: usage.TooManyError{}} })
	if p := s.send(t, "GET", "/usage", "").want(t, 422).problem(t); p.Errors[0].Field != "by" {
		t.Errorf("%+v", p)
	}
	s = serve(t, func(s *setup) { s.accounts = &fakeAccounts{err: errors.New("away")} })
	for _, path := range []string{"/usage", "/statements/2026-11"} {
		s.send(t, "GET", path, "").want(t, 503)
	}
}

// A statement comes as it was signed, byte by byte.
func TestStatement(t *testing.T) {
	t.Parallel()
	f := &fakeAccounts{signed: true}
	s := serve(t, func(s *setup) { s.accounts = f })
	got := s.send(t, "GET", "/statements/2026-10?project=acme", "").want(t, 200)
	signed, err := statement.Verify(got.Body, statementKey().Public().(ed25519.PublicKey))
	if err != nil || signed.Project != "acme" || signed.Month != "2026-10" || signed.Totals.BaselineNanos != math.MaxInt64 || signed.Share == nil {
		t.Errorf("%v, %+v", err, signed)
	}
	if csv := s.send(t, "GET", "/statements/2026-10?format=csv", "").want(t, 200); !strings.Contains(string(csv.Body), "\ndefault,2026-10,final,routed,k,small,large,v,2,0,") {
		t.Errorf("%s", csv.Body)
	}
}

// A key of one project sees its own project only, whatever it asks for.
func TestUsageIsOfTheKeysProject(t *testing.T) {
	t.Parallel()
	f, keys := new(fakeAccounts), newFakeKeys()
	s := serve(t, func(s *setup) { s.accounts, s.adminKey, s.keys = f, "the admin key", keys })
	reads := "Authorization: Bearer " + keys.give(t, access.Key{Role: access.RoleRead, Project: "acme"})
	s.send(t, "GET", "/usage?by=project", "", reads).want(t, 200)
	if f.asked.Project != "acme" {
		t.Errorf("asked is %q", f.asked.Project)
	}
	s.send(t, "GET", "/statements/2026-10", "", reads).want(t, 200)
	if f.project != "acme" {
		t.Errorf("asked is %q", f.project)
	}
	for _, path := range []string{"/usage?project=other", "/statements/2026-10?project=other"} {
		s.send(t, "GET", path, "", reads).want(t, 403)
	}
	everywhere := "Authorization: Bearer " + keys.give(t, access.Key{Role: access.RoleRead, Project: access.AllProjects})
	s.send(t, "GET", "/usage?by=project", "", everywhere).want(t, 200)
	if f.asked.Project != "" {
		t.Errorf("one of all projects asks for %q", f.asked.Project)
	}
	completes := "Authorization: Bearer " + keys.give(t, access.Key{Role: access.RoleComplete, Project: "acme"})
	s.send(t, "GET", "/usage", "", completes).want(t, 403)
}
