package httpapi_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/limit"
	"github.com/busuhq/busu/internal/limittest"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/routing"
)

// keepsLimits gives limits that are kept as long as the test runs.
func keepsLimits(t *testing.T) *limit.Keeper {
	t.Helper()
	k := limit.NewKeeper(limittest.NewDesk(time.Now), "a", false, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = k.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return k
}

// admitted asks again where the keeper did not come to its turn in time.
func admitted(t *testing.T, k *limit.Keeper, of limit.Limits, tokens int64) (p limit.Pass, err error) {
	t.Helper()
	for {
		p, err = k.Admit(t.Context(), of, time.Now(), tokens)
		if _, unknown := errors.AsType[*limit.UnavailableError](err); !unknown {
			return p, err
		}
	}
}

// ending is a gateway whose requests end in every way.
type ending struct {
	fact  *event.CompletionRecorded
	err   error
	panic any
}

func (g *ending) Complete(_ context.Context, r gateway.Request) (gateway.Answer, error) {
	if g.panic != nil {
		panic(g.panic)
	}
	if r.Sink != nil && g.err == nil {
		r.Sink.Begin(g.fact)
		_ = r.Sink.Emit(llm.Chunk{Text: "a"})
	}
	return gateway.Answer{Fact: g.fact}, g.err
}

func (g *ending) Plan(gateway.Request) (routing.Plan, error) { return routing.Plan{}, nil }

// However a request ends, its key's tokens are what it has used: nothing of
// what was taken by the worst estimate stays.
func TestTokensAreGivenBack(t *testing.T) {
	t.Parallel()
	fact := func(cache, status string) *event.CompletionRecorded {
		f := event.NewCompletion(event.NewCompletion([16]byte{6: 0x70, 8: 0x80}).ID)
		f.Cache, f.Status, f.TokensIn, f.TokensOut, f.Model, f.Provider, f.Confidence, f.Strategy, f.FinishReason = cache, status, 700, 300, "small", "simulated", "high", "complexity", "stop"
		return f
	}
	for name, c := range map[string]struct {
		g    ending
		used int64
	}{
		"answered":          {ending{fact: fact(event.CacheMiss, event.StatusOK)}, 1000},
		"from the cache":    {ending{fact: fact(event.CacheMemory, event.StatusOK)}, 0},
		"canceled":          {ending{fact: fact(event.CacheMiss, event.StatusCanceled), err: gateway.ErrCanceled}, 1000},
		"failed":            {ending{fact: fact(event.CacheMiss, event.StatusError), err: gateway.ErrProviders}, 1000},
		"not recorded":      {ending{err: gateway.ErrLedger}, 0},
		"a panic":           {ending{panic: "at the disco"}, 0},
		"refused otherwise": {ending{err: errors.New("no")}, 0},
	} {
		for _, stream := range []string{"false", "true"} {
			g := c.g
			k := keepsLimits(t)
			s := serve(t, func(s *setup) { s.adminKey, s.limits, s.gateway = "the admin key", k, &g })
			var made struct{ ID, Key string }
			s.post(t, "/keys", `{"name": "k", "role": "complete", "project": "acme", "tokens_per_minute": 40000, "requests_per_minute": 50,
				"concurrency": 1, "per_user": {"concurrency": 1}}`, asAdmin).want(t, 201).decode(t, &made)
			began := time.Now()
			for range 3 {
				r := s.post(t, "/complete", `{"prompt": "a", "max_tokens": 30000, "stream": `+stream+`}`, "x-api-key: "+made.Key)
				for strings.Contains(string(r.Body), "limit-unavailable") { // the keeper did not come to its turn in time
					r = s.post(t, "/complete", `{"prompt": "a", "max_tokens": 30000, "stream": `+stream+`}`, "x-api-key: "+made.Key)
				}
				if r.Status == 429 {
					t.Fatalf("%s, stream %s: %s", name, stream, r.Body)
				}
			}
			p, err := admitted(t, k, limit.Limits{Key: made.ID, Own: limit.Most{Requests: 50, Tokens: 40_000}}, 1)
			least := 40_000 - 2 - 3*c.used
			if most := min(least+2+int64(time.Since(began).Seconds()*40_000/60), 39_999); err != nil || p.Tokens.Remaining < least || p.Tokens.Remaining > most || p.Requests.Remaining > 48 {
				t.Errorf("%s, stream %s: %+v are left, not %d to %d tokens: %v", name, stream, p.Standings, least, most, err)
			}
			for _, once := range []limit.Limits{{Key: made.ID, Own: limit.Most{Concurrency: 1}}, {Key: made.ID, PerUser: limit.Most{Concurrency: 1}}} {
				if _, err := admitted(t, k, once, 0); err != nil {
					t.Errorf("%s, stream %s: nothing may be under way: %v", name, stream, err)
				}
				if _, err := admitted(t, k, once, 0); err == nil {
					t.Errorf("%s, stream %s: more than one may be under way", name, stream)
				}
			}
		}
	}
}

// waiting is a gateway that answers when it is told to.
type waiting struct{ began, end chan struct{} }

func (g *waiting) Complete(ctx context.Context, _ gateway.Request) (gateway.Answer, error) {
	g.began <- struct{}{}
	select {
	case <-g.end:
		return gateway.Answer{}, gateway.ErrUnknown
	case <-ctx.Done():
		return gateway.Answer{}, gateway.ErrCanceled
	}
}

// begins waits until a request is under way; none is within a minute when it was
// refused.
func (g *waiting) begins(t *testing.T) {
	t.Helper()
	select {
	case <-g.began:
	case <-time.After(time.Minute):
		t.Fatal("no request has begun")
	}
}

func (g *waiting) Plan(gateway.Request) (routing.Plan, error) { return routing.Plan{}, nil }

// While as many requests are under way as a key may have, or one of its users,
// others are refused, and told when to come again; a client that leaves makes room.
func TestRequestsAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ limits, says string }{
		"key":  {`"concurrency": 2`, "this key may have 2 requests under way at once"},
		"user": {`"per_user": {"concurrency": 2}`, "this user may have 2 requests under way at once"},
	} {
		g := &waiting{began: make(chan struct{}), end: make(chan struct{})}
		k := keepsLimits(t)
		s := serve(t, func(s *setup) { s.adminKey, s.limits, s.gateway = "the admin key", k, g })
		var made struct{ ID, Key string }
		s.post(t, "/keys", `{"name": "k", "role": "complete", "project": "acme", `+c.limits+`}`, asAdmin).want(t, 201).decode(t, &made)
		leaving, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for _, ctx := range []context.Context{leaving, t.Context()} {
			all.Go(func() { s.askOf(ctx, t, made.Key, http.StatusServiceUnavailable) })
			g.begins(t)
		}
		r := s.post(t, "/complete", `{"prompt": "a", "user_id": "ada"}`, "x-api-key: "+made.Key).want(t, 429)
		if r.Header.Get("Retry-After") != "1" || !strings.Contains(string(r.Body), c.says) {
			t.Errorf("%s: refused with %s, %v", name, r.Body, r.Header)
		}
		leave()
		all.Go(func() { s.askOf(t.Context(), t, made.Key, http.StatusServiceUnavailable, http.StatusTooManyRequests) })
		g.begins(t)
		close(g.end)
		all.Wait()
		r = s.send(t, "PATCH", "/keys/"+made.ID, `{"concurrency": null, "per_user": null}`, asAdmin).want(t, 200)
		if !strings.Contains(string(r.Body), `"concurrency":null,"per_user":null`) {
			t.Errorf("%s: without limits it is %s", name, r.Body)
		}
	}
}

// askOf sends a user's request by a key, and again as long as the answer is one
// of those: the keeper may not have come to its turn in time.
func (s *stack) askOf(ctx context.Context, t *testing.T, key string, again ...int) {
	for status := again[0]; slices.Contains(again, status); {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/complete", strings.NewReader(`{"prompt": "a", "user_id": "ada"}`))
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("x-api-key", key)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return // the client has left
		}
		_ = answer.Body.Close()
		status = answer.StatusCode
	}
}

// What limits refuse is a 429 that says which, and when to come again, in each
// format; and what passes says how much is left.
func TestKeysHaveLimits(t *testing.T) {
	t.Parallel()
	k := keepsLimits(t)
	s := serve(t, func(s *setup) { s.adminKey, s.limits = "the admin key", k })
	var made struct{ ID, Key string }
	s.post(t, "/keys", `{"name": "k", "role": "complete", "project": "acme", "requests_per_minute": 2, "tokens_per_minute": 50000}`, asAdmin).want(t, 201).decode(t, &made)
	for left, model := range []string{"small", "small"} {
		r := s.post(t, "/complete", `{"prompt": "a", "model": "`+model+`"}`, "x-api-key: "+made.Key).want(t, 200)
		h := r.Header
		if h.Get("x-ratelimit-limit-requests") != "2" || h.Get("x-ratelimit-remaining-requests") != []string{"1", "0"}[left] || h.Get("x-ratelimit-reset-requests") != []string{"30s", "1m0s"}[left] ||
			h.Get("x-ratelimit-limit-tokens") != "50000" || !strings.HasPrefix(h.Get("x-ratelimit-remaining-tokens"), "4") || h.Get("x-ratelimit-reset-tokens") == "" {
			t.Errorf("the headers are %v", h)
		}
	}
	for path, c := range map[string]struct{ body, says string }{
		"/complete":            {`{"prompt": "a"}`, `"type":"urn:busu:problem:limit-exceeded"`},
		"/v1/chat/completions": {`{"model": "auto", "messages": [{"role": "user", "content": "a"}]}`, `"code":"rate_limit_exceeded"`},
		"/v1/messages":         {`{"model": "auto", "max_tokens": 5, "messages": [{"role": "user", "content": "a"}]}`, `"type":"rate_limit_error"`},
		"/v1/embeddings":       {`{"model": "embedding", "input": "a"}`, `"type":"rate_limit_error"`},
	} {
		r := s.post(t, path, c.body, "x-api-key: "+made.Key).want(t, 429)
		if after := r.Header.Get("Retry-After"); after != "30" && after != "29" || r.Header.Get("x-ratelimit-remaining-requests") != "0" {
			t.Errorf("%s: come again after %q: %v", path, after, r.Header)
		}
		if !strings.Contains(string(r.Body), c.says) || !strings.Contains(string(r.Body), "2 requests a minute") {
			t.Errorf("%s: %s", path, r.Body)
		}
	}
	s.post(t, "/complete", `{"prompt": "a"}`, asAdmin).want(t, 200)
	s.post(t, "/recommendation", `{"prompt": "a"}`, "x-api-key: "+made.Key).want(t, 200)
}
