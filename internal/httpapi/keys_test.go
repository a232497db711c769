package httpapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/access"
)

const asAdmin = "Authorization: Bearer the admin key"

func serveKeys(t *testing.T) (*stack, *fakeKeys) {
	t.Helper()
	keys := newFakeKeys()
	return serve(t, func(s *setup) { s.adminKey, s.keys = "the admin key", keys }), keys
}

// key is what a test looks at of one.
type key struct {
	ID, Name, Prefix, Role, Project, Key string
	Models                               []string
	RevokedAt                            *string  `json:"revoked_at"`
	BudgetUSD                            *float64 `json:"budget_usd"`
	BudgetPeriod                         *string  `json:"budget_period"`
	RequestsPerMinute                    *int64   `json:"requests_per_minute"`
	Overlapping                          []struct{ Prefix string }
}

// TestKeyLife: made, used, listed, changed, rotated, revoked; shown once.
func TestKeyLife(t *testing.T) {
	t.Parallel()
	s, _ := serveKeys(t)
	var made, got, rotated key
	created := s.post(t, "/keys", `{"name": "search", "role": "complete", "project": "acme", "models": ["small", "medium"], "budget_usd": 12.5, "requests_per_minute": 60}`, asAdmin).want(t, 201)
	created.decode(t, &made)
	if made.Name != "search" || made.Role != "complete" || made.Project != "acme" || *made.BudgetUSD != 12.5 || *made.BudgetPeriod != "month" ||
		*made.RequestsPerMinute != 60 || !strings.HasPrefix(made.Key, made.Prefix) || created.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s", created.Body)
	}
	using := "x-api-key: " + made.Key
	s.post(t, "/complete", `{"prompt": "a"}`, using).want(t, 200)
	if f := s.Ledger.only(t); f.Project != "acme" || f.KeyID != made.ID {
		t.Errorf("recorded for %s by %s", f.Project, f.KeyID)
	}
	s.send(t, "GET", "/keys", "", using).want(t, 403)

	s.send(t, "PATCH", "/keys/"+made.ID, `{"name": "renamed", "models": null, "budget_usd": null}`, asAdmin).want(t, 200).decode(t, &got)
	if got.Name != "renamed" || len(got.Models) != 0 || got.BudgetUSD != nil || got.BudgetPeriod != nil || *got.RequestsPerMinute != 60 || got.Role != "complete" {
		t.Errorf("changed: %+v", got)
	}
	s.post(t, "/keys/"+made.ID+"/rotate", `{"overlap": "1h"}`, asAdmin).want(t, 200).decode(t, &rotated)
	if rotated.ID != made.ID || rotated.Key == made.Key || len(rotated.Overlapping) != 1 || rotated.Overlapping[0].Prefix != made.Prefix {
		t.Errorf("rotated: %+v", rotated)
	}
	for _, k := range []string{made.Key, rotated.Key} {
		s.post(t, "/complete", `{"prompt": "b"}`, "x-api-key: "+k).want(t, 200)
	}
	s.post(t, "/keys/"+made.ID+"/rotate", "", asAdmin).want(t, 200)
	for _, path := range []string{"/keys", "/keys/" + made.ID, "/audit"} {
		body := s.send(t, "GET", path, "", asAdmin).want(t, 200).Body
		for _, secret := range []string{made.Key, rotated.Key} {
			if strings.Contains(string(body), secret[14:30]) {
				t.Errorf("%s shows a secret: %s", path, body)
			}
		}
	}
	for range 2 {
		s.send(t, "DELETE", "/keys/"+made.ID, "", asAdmin).want(t, 200).decode(t, &got)
	}
	if got.RevokedAt == nil {
		t.Errorf("revoked: %+v", got)
	}
	p := s.post(t, "/complete", `{"prompt": "b"}`, "x-api-key: "+rotated.Key).want(t, 401).problem(t)
	if !strings.Contains(p.Detail, "revoked") {
		t.Error(p.Detail)
	}
	s.post(t, "/keys/"+made.ID+"/rotate", `{}`, asAdmin).want(t, 409)
	s.send(t, "PATCH", "/keys/"+made.ID, `{"name": "x"}`, asAdmin).want(t, 409)
}

func TestBadKeys(t *testing.T) {
	t.Parallel()
	s, _ := serveKeys(t)
	for body, fields := range map[string]string{
		`{}`: "name project role",
		`{"name": "a", "role": "root", "project": "a:b"}`:                                                                      "project role",
		`{"name": "a", "role": "read", "project": "*"}`:                                                                        "project",
		`{"name": "a", "role": "read", "project": "p", "models": ["gone"], "strategies": "x", "foo": 1}`:                       "foo strategies",
		`{"name": "a", "role": "read", "project": "p", "models": ["gone"]}`:                                                    "models",
		`{"name": "a", "role": "read", "project": "p", "expires_at": "2020-01-01T00:00:00Z"}`:                                  "expires_at",
		`{"name": "a", "role": "read", "project": "p", "expires_at": "tomorrow", "budget_usd": 0}`:                             "budget_usd expires_at",
		`{"name": "a", "role": "read", "project": "p", "budget_usd": "1", "budget_period": "year"}`:                            "budget_period budget_usd",
		`{"name": "a", "role": "read", "project": "p", "budget_period": "day"}`:                                                "budget_usd",
		`{"name": "a", "role": "read", "project": "p", "requests_per_minute": 0, "tokens_per_minute": 1.5}`:                    "requests_per_minute tokens_per_minute",
		`{"name": "a", "role": "read", "project": "p", "concurrency": 0, "per_user": {"tokens_per_minute": 0, "requests": 1}}`: "concurrency per_user.requests per_user.tokens_per_minute",
		`{"name": "a", "role": "read", "project": "p", "per_user": 5}`:                                                         "per_user",
		`{"name": " a ", "role": "read", "project": "p"}`:                                                                      "name",
		`{"name": "a", "role": "read", "project": "p", "id": "x", "key": "y", "prefix": "z", "revoked_at": null}`:              "id key prefix revoked_at",
	} {
		if p := s.post(t, "/keys", body, asAdmin).want(t, 422).problem(t); strings.Join(p.fields(), " ") != fields {
			t.Errorf("%s: wrong are %v, want %s", body, p.fields(), fields)
		}
	}
	var made key
	s.post(t, "/keys", `{"name": "a", "role": "read", "project": "p"}`, asAdmin).want(t, 201).decode(t, &made)
	for body, field := range map[string]string{`{"role": "admin"}`: "role", `{"project": "q"}`: "project", `{"models": ["gone"]}`: "models"} {
		if p := s.send(t, "PATCH", "/keys/"+made.ID, body, asAdmin).want(t, 422).problem(t); strings.Join(p.fields(), " ") != field {
			t.Errorf("%s: wrong are %v", body, p.fields())
		}
	}
	for _, overlap := range []string{`"soon"`, `"-1h"`, `"2161h"`, `5`} {
		s.post(t, "/keys/"+made.ID+"/rotate", `{"overlap": `+overlap+`}`, asAdmin).want(t, 422)
	}
	for _, id := range []string{"x", "019ab179-0000-7abc-8def-000000000000"} {
		s.send(t, "GET", "/keys/"+id, "", asAdmin).want(t, 404)
		s.send(t, "DELETE", "/keys/"+id, "", asAdmin).want(t, 404)
		s.send(t, "PATCH", "/keys/"+id, `{}`, asAdmin).want(t, 404)
		s.post(t, "/keys/"+id+"/rotate", `{}`, asAdmin).want(t, 404)
	}
	for _, query := range []string{"?limit=0", "?limit=501", "?cursor=x", "?foo=1"} {
		s.send(t, "GET", "/keys"+query, "", asAdmin).want(t, 422)
		s.send(t, "GET", "/audit"+query, "", asAdmin).want(t, 422)
	}
}

func TestPagesOfKeysAndActs(t *testing.T) {
	t.Parallel()
	s, keys := serveKeys(t)
	for i := range 5 {
		keys.give(t, access.Key{Role: access.RoleRead, Project: fmt.Sprint("p", i%2)})
	}
	for _, c := range []struct {
		path, list string
		n          int
	}{{"/keys?", "keys", 5}, {"/keys?project=p0&", "keys", 3}, {"/audit?", "acts", 5}, {"/audit?project=p1&", "acts", 2}} {
		var all []string
		for cursor := ""; ; {
			var page struct {
				Keys       []struct{ ID string }
				Acts       []struct{ Subject string }
				NextCursor *string `json:"next_cursor"`
			}
			s.send(t, "GET", c.path+"limit=2&cursor="+url.QueryEscape(cursor), "", asAdmin).want(t, 200).decode(t, &page)
			for _, k := range page.Keys {
				all = append(all, k.ID)
			}
			for _, a := range page.Acts {
				all = append(all, a.Subject)
			}
			if page.NextCursor == nil {
				break
			}
			cursor = *page.NextCursor
		}
		if len(all) != c.n || len(slices.Compact(slices.Sorted(slices.Values(all)))) != c.n {
			t.Errorf("%s lists %v", c.path, all)
		}
	}
}

// TestTenants: an admin of one project neither sees nor makes what is another's.
func TestTenants(t *testing.T) {
	t.Parallel()
	s, keys := serveKeys(t)
	acme := "Authorization: Bearer " + keys.give(t, access.Key{Role: access.RoleAdmin, Project: "acme"})
	keys.give(t, access.Key{Role: access.RoleRead, Project: "globex", Name: "theirs"})
	theirs := keys.all[1].ID
	if body := string(s.send(t, "GET", "/keys", "", acme).want(t, 200).Body); strings.Contains(body, "globex") || !strings.Contains(body, "acme") {
		t.Error(body)
	}
	if body := string(s.send(t, "GET", "/audit", "", acme).want(t, 200).Body); strings.Contains(body, "globex") || !strings.Contains(body, "acme") {
		t.Error(body)
	}
	s.send(t, "GET", "/keys/"+theirs, "", acme).want(t, 404)
	s.send(t, "DELETE", "/keys/"+theirs, "", acme).want(t, 404)
	s.send(t, "PATCH", "/keys/"+theirs, `{"name": "mine"}`, acme).want(t, 404)
	s.post(t, "/keys/"+theirs+"/rotate", ``, acme).want(t, 404)
	for _, project := range []string{"globex", "*", "default"} {
		p := s.post(t, "/keys", fmt.Sprintf(`{"name": "a", "role": "read", "project": %q}`, project), acme).want(t, 403).problem(t)
		if !slices.Equal(p.fields(), []string{"project"}) {
			t.Errorf("%+v", p)
		}
	}
	s.post(t, "/keys", `{"name": "a", "role": "admin", "project": "acme"}`, acme).want(t, 201)
	for _, way := range []string{"/requests?project=globex", "/keys?project=globex", "/metrics/live?project=globex", "/stream/completions?project=globex"} {
		if p := s.send(t, "GET", way, "", acme).want(t, 403).problem(t); !slices.Equal(p.fields(), []string{"project"}) {
			t.Errorf("%s: %+v", way, p)
		}
	}
	s.post(t, "/complete", `{"prompt": "a"}`, acme, "X-Busu-Project: globex").want(t, 403)
	s.post(t, "/complete", `{"prompt": "a"}`, acme, "X-Busu-Project: acme").want(t, 200)
}

// TestLiveIsOfTheCallersProject: what sums the traffic of all projects is shown to
// those only who may see how busu fares, also where both look at one project.
func TestLiveIsOfTheCallersProject(t *testing.T) {
	t.Parallel()
	s, keys := serveKeys(t)
	chosen := "X-Busu-Project: acme"
	for _, c := range []struct {
		who      string
		headers  []string
		oversees bool
	}{
		{"the admin key", []string{asAdmin, chosen}, true},
		{"an admin of one project", []string{"Authorization: Bearer " + keys.give(t, access.Key{Role: access.RoleAdmin, Project: "acme"})}, false},
		{"a reader of one project", []string{"Authorization: Bearer " + keys.give(t, access.Key{Role: access.RoleRead, Project: "acme"})}, false},
		{"an operator of all projects", []string{"Authorization: Bearer " + keys.give(t, access.Key{Role: access.RoleOperate, Project: access.AllProjects}), chosen}, true},
	} {
		var got struct {
			Totals    map[string]any
			Pipeline  map[string]any
			Providers []map[string]any
		}
		if err := json.Unmarshal(s.send(t, "GET", "/metrics/live", "", c.headers...).want(t, 200).Body, &got); err != nil {
			t.Fatal(err)
		}
		shown := slices.Sorted(maps.Keys(got.Providers[0]))
		least := []string{"breaker", "breaker_for_ms", "name", "next_probe_ms"}
		if len(got.Totals) == 0 || (len(got.Pipeline) > 0) != c.oversees || slices.Equal(shown, least) == c.oversees || got.Providers[0]["breaker"] != "open" {
			t.Errorf("%s gets %+v", c.who, got)
		}
	}
}

// TestChosenProject: whoever has the deployment chooses, request by request.
func TestChosenProject(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{true, false} {
		s := serve(t, func(s *setup) {
			if !open {
				s.adminKey = "the admin key"
			}
		})
		for _, c := range []struct{ path, header, project string }{
			{"/complete", "A: b", "default"}, {"/complete", "X-Busu-Project: acme", "acme"}, {"/complete?project=globex", "A: b", "globex"},
			{"/complete?project=globex", "X-Busu-Project: acme", "globex"}, {"/complete", "X-Busu-Project: default", "default"},
		} {
			s.post(t, c.path, `{"prompt": "a"}`, asAdmin, c.header).want(t, 200)
			if f := <-s.Ledger.recorded; f.Project != c.project {
				t.Errorf("%+v: recorded for %s", c, f.Project)
			}
		}
		s.post(t, "/complete", `{"prompt": "a"}`, asAdmin, "X-Busu-Project: *").want(t, 422)
		s.post(t, "/complete", `{"prompt": "a"}`, asAdmin, "X-Busu-Project: a:b").want(t, 422)
		s.send(t, "GET", "/requests?project=a&project=b", "", asAdmin).want(t, 422)
		s.send(t, "GET", "/recommendation?prompt=my+project%3F&project=acme", "", asAdmin).want(t, 200)
		s.send(t, "GET", "/recommendation?prompt=my+project%3F", "", asAdmin).want(t, 200)
	}
}

// TestGrants: a key's models, strategies and experiments.
func TestGrants(t *testing.T) {
	t.Parallel()
	s, keys := serveKeys(t)
	limited := "Authorization: Bearer " + keys.give(t, access.Key{Role: access.RoleComplete, Project: "default", Models: []string{"medium"},
		Strategies: []string{"hybrid"}, Experiments: []string{"another"}})
	for _, c := range []struct {
		path, body, header, field string
	}{
		{"/complete", `{"prompt": "a", "model": "small"}`, "", "model"},
		{"/complete", `{"prompt": "a", "models": ["medium", "large"]}`, "", "models"},
		{"/complete", `{"prompt": "a", "strategy": "complexity"}`, "", "strategy"},
		{"/complete", `{"prompt": "a", "user_id": "u", "experiment_id": "` + knownExperiment + `"}`, "", "experiment_id"},
		{"/recommendation", `{"prompt": "a", "model": "small"}`, "", "model"},
	} {
		p := s.post(t, c.path, c.body, limited).want(t, 403).problem(t)
		if !slices.Equal(p.fields(), []string{c.field}) || !strings.HasSuffix(p.Type, ":forbidden") {
			t.Errorf("%s: %+v", c.body, p)
		}
	}
	for _, c := range []struct{ body, header, field string }{
		{`{"model": "small", "messages": [{"role": "user", "content": "a"}]}`, "A: b", "model"},
		{`{"model": "auto:complexity", "messages": [{"role": "user", "content": "a"}]}`, "A: b", "model"},
		{`{"model": "auto", "messages": [{"role": "user", "content": "a"}]}`, "X-Busu-Models: large", "X-Busu-Models"},
		{`{"model": "auto", "messages": [{"role": "user", "content": "a"}]}`, "X-Busu-Strategy: complexity", "X-Busu-Strategy"},
	} {
		var vendor struct{ Error struct{ Param string } }
		s.post(t, "/v1/chat/completions", c.body, limited, c.header).want(t, 403).decode(t, &vendor)
		if vendor.Error.Param != c.field {
			t.Errorf("%s: %q", c.body, vendor.Error.Param)
		}
	}
	if intents, _ := s.Ledger.counts(); intents > 0 {
		t.Error("something was recorded")
	}
	s.post(t, "/complete", `{"prompt": "a", "model": "medium"}`, limited).want(t, 200)
	auto := "Authorization: Bearer " + keys.give(t, access.Key{Role: access.RoleComplete, Project: "default", Models: []string{"medium", "large"}})
	var plan struct{ Candidates []struct{ Model string } }
	s.post(t, "/recommendation", `{"prompt": "a"}`, auto).want(t, 200).decode(t, &plan)
	if len(plan.Candidates) != 2 {
		t.Errorf("planned among %+v", plan)
	}
	s.post(t, "/recommendation", `{"prompt": "a", "models": ["large"]}`, auto).want(t, 200).decode(t, &plan)
	if len(plan.Candidates) != 1 || plan.Candidates[0].Model != "large" {
		t.Errorf("planned among %+v", plan)
	}
	if body := string(s.send(t, "GET", "/v1/models", "", auto).want(t, 200).Body); strings.Contains(body, `"small"`) || !strings.Contains(body, `"medium"`) {
		t.Error(body)
	}
	s.send(t, "GET", "/v1/models/small", "", auto).want(t, 404)
}

// While keys cannot be read, those that are known work, others are 503, and
// nothing is told of why.
func TestKeysWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	s, keys := serveKeys(t)
	known := keys.give(t, access.Key{Role: access.RoleAdmin, Project: "acme"})
	keys.err = errors.New("secret.internal:5432 refused")
	s.post(t, "/complete", `{"prompt": "a"}`, "x-api-key: "+known).want(t, 200)
	for _, r := range []struct{ method, path, body, key string }{
		{"POST", "/complete", `{"prompt": "a"}`, access.NewSecret().Reveal()},
		{"GET", "/keys", "", known}, {"GET", "/keys/x", "", known}, {"DELETE", "/keys/x", "", known}, {"PATCH", "/keys/x", `{"name": "a"}`, known},
		{"POST", "/keys/x/rotate", "", known}, {"POST", "/keys", `{"name": "a", "role": "read", "project": "acme"}`, known}, {"GET", "/audit", "", known},
	} {
		got := s.send(t, r.method, r.path, r.body, "x-api-key: "+r.key).want(t, http.StatusServiceUnavailable)
		if p := got.problem(t); !strings.HasSuffix(p.Type, ":stores-unavailable") || got.Header.Get("Retry-After") == "" || strings.Contains(string(got.Body), "secret.internal") {
			t.Errorf("%s %s: %s", r.method, r.path, got.Body)
		}
	}
	s.post(t, "/complete", `{"prompt": "a"}`, "x-api-key: nonsense").want(t, 401)
	s.post(t, "/complete", `{"prompt": "a"}`, asAdmin).want(t, 200)
}

// An API without keys heeds those that it knows.
func TestOpenHeedsKnownKeys(t *testing.T) {
	t.Parallel()
	keys := newFakeKeys()
	s := serve(t, func(s *setup) { s.keys = keys })
	reader := keys.give(t, access.Key{Role: access.RoleRead, Project: "acme"})
	s.post(t, "/complete", `{"prompt": "a"}`, "x-api-key: "+reader).want(t, 403)
	s.send(t, "GET", "/requests", "", "x-api-key: "+reader).want(t, 200)
	s.send(t, "GET", "/keys", "").want(t, 200)
	s.post(t, "/keys", `{"name": "a", "role": "read", "project": "acme"}`, "x-api-key: "+access.NewSecret().Reveal()).want(t, 201)
	if by := keys.acts[len(keys.acts)-1].By; by != "" {
		t.Errorf("made by %q", by)
	}
}
