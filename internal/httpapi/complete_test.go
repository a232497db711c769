package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/provider/simulated"
)

const asJSON = "Content-Type: application/json"

// answer is POST /complete's, read as a client would.
type answer struct {
	RequestID       string        `json:"request_id"`
	Response        string        `json:"response"`
	Model           string        `json:"model"`
	Strategy        string        `json:"strategy"`
	Confidence      string        `json:"confidence"`
	Complexity      float64       `json:"complexity"`
	TokensIn        int64         `json:"tokens_in"`
	TokensOut       int64         `json:"tokens_out"`
	CostUSD         pricing.Nanos `json:"cost_usd"`
	BaselineCostUSD pricing.Nanos `json:"baseline_cost_usd"`
	SavingsUSD      pricing.Nanos `json:"savings_usd"`
	LatencyMS       float64       `json:"latency_ms"`
	Fallbacks       []string      `json:"fallbacks"`
}

// TestCompleteAnswersWhatIsRecorded: the answer, its headers and the fact say
// the same.
func TestCompleteAnswersWhatIsRecorded(t *testing.T) {
	t.Parallel()
	s := serve(t)
	got := s.post(t, "/complete", `{"prompt": "What is the capital of France?", "user_id": "ada", "session_id": "s1",
		"metadata": {"team": "search"}, "temperature": 0.5, "max_tokens": 500}`, asJSON, "X-Request-Id: mine-1").want(t, 200)
	var a answer
	got.decode(t, &a)
	f := s.Ledger.only(t)

	if a.RequestID != f.ID.String() || got.Header.Get("X-Request-Id") != a.RequestID || f.CallerID != "mine-1" {
		t.Errorf("ids: %s in the body, %s in the header, %s and the caller's %q in the fact",
			a.RequestID, got.Header.Get("X-Request-Id"), f.ID, f.CallerID)
	}
	if f.Project != event.DefaultProject || f.UserID != "ada" || f.SessionID != "s1" || f.Metadata["team"] != "search" {
		t.Errorf("the fact is of %q, %q, %q, %v", f.Project, f.UserID, f.SessionID, f.Metadata)
	}
	if a.Model != "small" || a.Model != f.Model || a.Strategy != "complexity" || f.Strategy != "complexity" || f.Propensity != 1 {
		t.Errorf("model %q and strategy %q, the fact has %q, %q, %g", a.Model, a.Strategy, f.Model, f.Strategy, f.Propensity)
	}
	if int64(a.CostUSD) != f.CostNanos || int64(a.BaselineCostUSD) != f.BaselineCostNanos ||
		a.SavingsUSD != a.BaselineCostUSD-a.CostUSD || a.CostUSD <= 0 || a.TokensIn != f.TokensIn || a.TokensOut != f.TokensOut {
		t.Errorf("answered %+v, recorded %+v", a, f)
	}
	if a.Response == "" || f.Status != event.StatusOK || a.LatencyMS != float64(f.LatencyUS)/1000 {
		t.Errorf("response %q, status %s, latency %g ms and %d µs", a.Response, f.Status, a.LatencyMS, f.LatencyUS)
	}
	for name, want := range map[string]string{"X-Busu-Model": f.Model, "X-Busu-Strategy": f.Strategy, "X-Busu-Cache": "miss",
		"X-Busu-Cost-Usd": a.CostUSD.String(), "Content-Type": "application/json", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff"} {
		if got.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
		}
	}
}

// TestComplexityIsCut: to three decimals, and never up into another tier.
func TestComplexityIsCut(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for i := range 20 {
		prompt := fmt.Sprintf(`{"prompt": "Prove step by step that %s"}`, strings.Repeat("the series converges, and ", i))
		var a answer
		s.post(t, "/complete", prompt).want(t, 200).decode(t, &a)
		f := <-s.Ledger.recorded
		if thousand := a.Complexity * 1000; thousand-float64(int(thousand+.5)) > 1e-9 || a.Complexity > f.Complexity+1e-9 || a.Complexity < f.Complexity-.001 {
			t.Errorf("complexity %v is answered as %v", f.Complexity, a.Complexity)
		}
	}
}

func TestModelBypassesRouting(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"prompt": "What is the capital of France?", "model": "large"}`,
		`{"prompt": "What is the capital of France?", "model": "large", "strategy": "complexity"}`,
	} {
		s := serve(t)
		got := s.post(t, "/complete", body, asJSON).want(t, 200)
		f := s.Ledger.only(t)
		if f.Model != "large" || f.Strategy != "model" || f.Propensity != 0 || got.Header.Get("X-Busu-Strategy") != "model" {
			t.Errorf("%s is answered by %q, strategy %q, propensity %g", body, f.Model, f.Strategy, f.Propensity)
		}
	}
}

// failing fails for some models, as simulated servers that are down.
func failing(models ...string) func(*setup) {
	return func(s *setup) {
		next := s.provider
		s.provider = providerFunc(func(ctx context.Context, r llm.Request) (llm.Response, error) {
			if slices.Contains(models, r.Model) {
				return llm.Response{}, &llm.ProviderError{Provider: "simulated", Kind: llm.ErrorUnavailable, Status: 503,
					Err: errors.New("secret-upstream-detail")}
			}
			return next.Complete(ctx, r)
		})
	}
}

func TestNextModelAnswersWhenOneFails(t *testing.T) {
	t.Parallel()
	s := serve(t, failing("small", "medium"))
	got := s.post(t, "/complete", `{"prompt": "What is the capital of France?"}`, asJSON).want(t, 200)
	var a answer
	got.decode(t, &a)
	f := s.Ledger.only(t)
	if a.Model != "large" || !slices.Equal(a.Fallbacks, []string{"small", "medium"}) || !slices.Equal(f.Fallbacks, a.Fallbacks) {
		t.Errorf("%q answers after %v, recorded %v", a.Model, a.Fallbacks, f.Fallbacks)
	}
	if f.PlannedModel != "small" || a.SavingsUSD != 0 || got.Header.Get("X-Busu-Model") != "large" {
		t.Errorf("planned %q, saved %s, header %q", f.PlannedModel, a.SavingsUSD, got.Header.Get("X-Busu-Model"))
	}
}

func TestAllProvidersFailing(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.provider = simulated.New(simulated.Options{FailureRate: 1}) })
	got := s.post(t, "/complete", `{"prompt": "What is the capital of France?"}`).want(t, 502)
	p := got.problem(t)
	f := s.Ledger.only(t)
	if f.Status != event.StatusError || f.ErrorKind != "unavailable" || f.CostNanos != 0 || f.Estimated || s.Provider.calls.Load() != 3 {
		t.Errorf("recorded as %s (%s) at %d after %d calls", f.Status, f.ErrorKind, f.CostNanos, s.Provider.calls.Load())
	}
	if got.Header.Get("X-Request-Id") != f.ID.String() || !strings.HasSuffix(p.Type, ":providers-failed") ||
		p.Detail != "no model answered: tried small, medium, large; the last one failed with unavailable" {
		t.Errorf("answered as %s, %s: %s", got.Header.Get("X-Request-Id"), p.Type, p.Detail)
	}
}

// TestNamedModelHasNoFallback, and what the vendor wrote is told to the log
// only.
func TestNamedModelHasNoFallback(t *testing.T) {
	t.Parallel()
	s := serve(t, failing("small"))
	got := s.post(t, "/complete", `{"prompt": "a", "model": "small"}`).want(t, 502)
	if s.Provider.calls.Load() != 1 {
		t.Errorf("%d calls, want one", s.Provider.calls.Load())
	}
	if strings.Contains(string(got.Body), "secret-upstream-detail") {
		t.Errorf("the caller is told what the vendor wrote: %s", got.Body)
	}
	if log := s.log.String(); strings.Count(log, "secret-upstream-detail") != 1 || !strings.Contains(log, got.Header.Get("X-Request-Id")) {
		t.Errorf("the log does not have it once, under the request's id: %s", log)
	}
}

// TestOverloaded: with a provider that has no room, come back later; the
// provider's own words stay in the log.
func TestOverloaded(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) {
		s.provider = providerFunc(func(context.Context, llm.Request) (llm.Response, error) {
			return llm.Response{}, &llm.ProviderError{Provider: "simulated", Kind: llm.ErrorOverloaded, Unsent: true,
				RetryAfter: 6100 * time.Millisecond, Err: errors.New("its queue is full, with 256 waiting")}
		})
	})
	got := s.post(t, "/complete", `{"prompt": "a"}`).want(t, 503)
	if p := got.problem(t); !strings.HasSuffix(p.Type, ":overloaded") || got.Header.Get("Retry-After") != "7" || strings.Contains(string(got.Body), "256") {
		t.Errorf("Retry-After %q, %s", got.Header.Get("Retry-After"), got.Body)
	}
	if f := s.Ledger.only(t); f.Status != event.StatusError || f.ErrorKind != "overloaded" || f.CostNanos != 0 {
		t.Errorf("recorded as %s (%s) at %d", f.Status, f.ErrorKind, f.CostNanos)
	}
}

func TestNothingIsCalledWhenIntentsAreRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.ledger.refuseIntents = errDisk })
	got := s.post(t, "/complete", `{"prompt": "a"}`).want(t, 503)
	if got.Header.Get("Retry-After") == "" || !strings.HasSuffix(got.problem(t).Type, ":ledger-unavailable") {
		t.Errorf("Retry-After %q, %s", got.Header.Get("Retry-After"), got.Body)
	}
	if s.Provider.calls.Load() != 0 {
		t.Error("the provider was called")
	}
	if strings.Contains(string(got.Body), errDisk.Error()) || !strings.Contains(s.log.String(), errDisk.Error()) {
		t.Errorf("the disk's error belongs into the log only: %s", got.Body)
	}
}

func TestNoAnswerWithoutFact(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.ledger.refuseFacts = errDisk })
	got := s.post(t, "/complete", `{"prompt": "a"}`).want(t, 503)
	if got.Header.Get("Retry-After") == "" || got.Header.Get("X-Busu-Model") != "" {
		t.Errorf("headers %v", got.Header)
	}
	s.Ledger.mu.Lock()
	defer s.Ledger.mu.Unlock()
	if len(s.Ledger.intents) != 1 || s.Ledger.intents[0].ID.String() != got.Header.Get("X-Request-Id") {
		t.Errorf("the answer has not the id of the intent: %v", s.Ledger.intents)
	}
}

// TestCallerLeaves: the request is recorded as canceled, at its estimate.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	called := make(chan struct{})
	s := serve(t, func(s *setup) {
		s.provider = providerFunc(func(ctx context.Context, _ llm.Request) (llm.Response, error) {
			close(called)
			<-ctx.Done()
			return llm.Response{}, &llm.ProviderError{Provider: "simulated", Kind: llm.ErrorUnavailable, Err: errors.New("connection closed")}
		})
	})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/complete", strings.NewReader(`{"prompt": "What is the capital of France?"}`))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-called
		leave()
	}()
	if response, err := http.DefaultClient.Do(r); err == nil {
		response.Body.Close()
		t.Fatalf("answered with %d", response.StatusCode)
	}
	f := <-s.Ledger.recorded
	if f.Status != event.StatusCanceled || f.ErrorKind != "canceled" || !f.Estimated || f.CostNanos <= 0 || len(f.Fallbacks) > 0 {
		t.Errorf("recorded as %s (%s), estimated %t, at %d, after %v", f.Status, f.ErrorKind, f.Estimated, f.CostNanos, f.Fallbacks)
	}
	if strings.Contains(s.log.String(), "level=WARN") {
		t.Errorf("that is nobody's worry: %s", s.log.String())
	}
}

func TestPromptLargerThanAllWindows(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.window = 1000 })
	p := s.post(t, "/complete", `{"prompt": "a", "max_tokens": 2000}`, asJSON).want(t, 422).problem(t)
	if !slices.Equal(p.fields(), []string{"max_tokens"}) || !strings.HasSuffix(p.Type, ":context-window") {
		t.Errorf("%s names %v", p.Type, p.fields())
	}
	if intents, facts := s.Ledger.counts(); intents+facts > 0 {
		t.Error("something was recorded")
	}
}

// TestPanic: no detail for the caller, all of it once in the log.
func TestPanic(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) {
		s.provider = providerFunc(func(context.Context, llm.Request) (llm.Response, error) { panic("secret-panic") })
	})
	got := s.post(t, "/complete", `{"prompt": "a"}`).want(t, 500)
	if p := got.problem(t); p.Detail != "internal error" || strings.Contains(string(got.Body), "secret-panic") {
		t.Errorf("the caller is told %s", got.Body)
	}
	log := s.log.String()
	if strings.Count(log, "level=ERROR") != 1 || !strings.Contains(log, "secret-panic") || !strings.Contains(log, "complete_test.go") ||
		!strings.Contains(log, got.Header.Get("X-Request-Id")) {
		t.Errorf("the log has not one line with the panic, its place and the request's id: %s", log)
	}
	if f := s.Ledger.only(t); f.Status != event.StatusInterrupted || !f.Estimated {
		t.Errorf("recorded as %s, estimated %t", f.Status, f.Estimated)
	}
	s.post(t, "/recommendation", `{"prompt": "a"}`).want(t, 200) // still served
}
