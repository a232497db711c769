package httpapi_test

import (
	"net/url"
	"strings"
	"testing"
)

type recommendation struct {
	Model      string `json:"model"`
	Strategy   string `json:"strategy"`
	Reason     string `json:"reason"`
	Candidates []struct {
		Model       string  `json:"model"`
		Probability float64 `json:"probability"`
	} `json:"candidates"`
}

// TestRecommendation: the same decision by body and by query, and nothing
// recorded or called.
func TestRecommendation(t *testing.T) {
	t.Parallel()
	s := serve(t)
	prompt := "What is the capital of France? é & + 😀"
	posted := s.post(t, "/recommendation", `{"prompt": "`+prompt+`", "max_tokens": 100}`, asJSON).want(t, 200)
	queried := s.send(t, "GET", "/recommendation?max_tokens=100&prompt="+url.QueryEscape(prompt), "").want(t, 200)
	if string(posted.Body) != string(queried.Body) {
		t.Errorf("posted:  %s\nqueried: %s", posted.Body, queried.Body)
	}
	var r recommendation
	posted.decode(t, &r)
	if r.Model != "small" || r.Strategy != "complexity" || r.Reason == "" || len(r.Candidates) != 3 || r.Candidates[0].Probability != 1 {
		t.Errorf("recommended %+v", r)
	}
	if intents, facts := s.Ledger.counts(); intents+facts > 0 || s.Provider.calls.Load() > 0 {
		t.Error("a recommendation was recorded, or called a model")
	}
}

func TestRecommendationOfANamedModel(t *testing.T) {
	t.Parallel()
	var r recommendation
	serve(t).send(t, "GET", "/recommendation?prompt=a&model=medium&strategy=complexity&temperature=0.5&user_id=u&cache=default", "").
		want(t, 200).decode(t, &r)
	if r.Model != "medium" || r.Strategy != "model" || len(r.Candidates) != 1 || r.Candidates[0].Probability != 0 {
		t.Errorf("recommended %+v", r)
	}
}

// A caller's constraints, in a body, in a query and in the headers of /v1.
func TestConstraintsOfARequest(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for constraint, want := range map[string]string{
		`"models": ["large"]`:                   "large",
		`"models": ["medium", "large"]`:         "medium large",
		`"min_quality": 0.99`:                   "large medium small",
		`"max_cost_usd": 0.002`:                 "small",
		`"max_cost_usd": 2, "min_quality": 0.5`: "small medium large",
	} {
		var r recommendation
		s.post(t, "/recommendation", `{"prompt": "What is the capital of France?", `+constraint+`}`).want(t, 200).decode(t, &r)
		var ids []string
		for _, c := range r.Candidates {
			ids = append(ids, c.Model)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: the plan is %s, want %s", constraint, got, want)
		}
	}
	var r recommendation
	s.send(t, "GET", "/recommendation?prompt=a&models=medium,large&max_cost_usd=1&min_quality=0.2", "").want(t, 200).decode(t, &r)
	if r.Model != "medium" || len(r.Candidates) != 2 {
		t.Errorf("recommended %+v", r)
	}
	if p := s.post(t, "/complete", `{"prompt": "a", "max_cost_usd": 0.00000001}`).want(t, 422).problem(t); !strings.Contains(p.Detail, "small") ||
		strings.Join(p.fields(), ",") != "max_cost_usd" {
		t.Errorf("for next to nothing: %+v", p)
	}
	chat := `{"model": "auto", "messages": [{"role": "user", "content": "a"}]}`
	reply := s.post(t, "/v1/chat/completions", chat, "X-Busu-Models: large , medium", "X-Busu-Min-Quality: 0.1", "X-Busu-Max-Cost-Usd: 1").want(t, 200)
	if got := reply.Header.Get("X-Busu-Model"); got != "medium" {
		t.Errorf("%s answered, of large and medium", got)
	}
	for header, value := range map[string]string{"X-Busu-Models": "nope", "X-Busu-Min-Quality": "high", "X-Busu-Max-Cost-Usd": "-1"} {
		s.post(t, "/v1/chat/completions", chat, header+": "+value).want(t, 400)
	}
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.window = 50_000 })
	for _, bad := range []struct {
		query  string
		status int
		fields string
	}{
		{"", 422, "prompt"},
		{"prompt=", 422, "prompt"},
		{"prompt=a&prompt=b", 422, "prompt"},
		{"prompt=%ff", 422, "prompt"},
		{"prompt=%00", 422, "prompt"},
		{"prompt=a&max_tokens=0", 422, "max_tokens"},
		{"prompt=a&max_tokens=", 422, "max_tokens"},
		{"prompt=a&max_tokens=ten", 422, "max_tokens"},
		{"prompt=a&max_tokens=null", 422, "max_tokens"},
		{"prompt=a&max_tokens=0x10", 422, "max_tokens"},
		{"prompt=a&max_tokens=1e999&temperature=NaN", 422, "max_tokens,temperature"},
		{"prompt=a&temperature=+1", 422, "temperature"},
		{"prompt=a&model=x&strategy=y&z=1", 422, "model,strategy,z"},
		{"prompt=a&max_cost_usd=cheap&min_quality=2&models=x", 422, "max_cost_usd,min_quality,models"},
		{"prompt=a&messages=[]&metadata={}&stream=false", 422, "messages,metadata,stream"},
		{"prompt=a&experiment_id=e", 422, "user_id"},
		{"prompt=a&user_id=" + strings.Repeat("x", 257), 422, "user_id"},
		{"=a", 422, ",prompt"},
		{"prompt=a&%ff=1", 422, "\ufffd"},
		{"prompt=a;user_id=b", 400, ""},
		{"prompt=%zz", 400, ""},
	} {
		p := s.send(t, "GET", "/recommendation?"+bad.query, "").want(t, bad.status).problem(t)
		if got := strings.Join(p.fields(), ","); got != bad.fields {
			t.Errorf("?%s names %q, want %q: %s", bad.query, got, bad.fields, p.Detail)
		}
	}
}

// TestRecommendationBeyondTheWindow is refused like the request would be.
func TestRecommendationBeyondTheWindow(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.window = 100 })
	s.send(t, "GET", "/recommendation?prompt=a", "").want(t, 422)
}
