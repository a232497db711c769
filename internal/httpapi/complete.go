package httpapi

import (
	"math"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/pricing"
)

// Names are what callers may ask for.
type Names struct {
	Strategies []string
	Default    string            // of them, for requests that name none
	Models     []string          // that chat
	Embedders  []string          // that embed
	Owners     map[string]string // the provider of each
}

// Limits on a request, from the contract.
const (
	maxMaxTokens     = 32_000
	defaultMaxTokens = 1_000
	maxID            = 256 // bytes
	maxTemperature   = 2

	// Metadata is limited as OpenAI limits it.
	maxMetadata      = 16 // pairs
	maxMetadataKey   = 64 // characters
	maxMetadataValue = 512
)

// completion is the answer of POST /complete.
type completion struct {
	RequestID       string        `json:"request_id"`
	Response        string        `json:"response"`
	FinishReason    string        `json:"finish_reason"`
	Provider        string        `json:"provider"`
	Model           string        `json:"model"`
	Strategy        string        `json:"strategy"`
	Confidence      string        `json:"confidence"`
	Reason          string        `json:"reason"`
	Complexity      float64       `json:"complexity"`
	TokensIn        int64         `json:"tokens_in"`
	TokensOut       int64         `json:"tokens_out"`
	CostUSD         pricing.Nanos `json:"cost_usd"`
	BaselineCostUSD pricing.Nanos `json:"baseline_cost_usd"`
	SavingsUSD      pricing.Nanos `json:"savings_usd"`
	Cache           string        `json:"cache"`
	LatencyMS       float64       `json:"latency_ms"`
	Fallbacks       []string      `json:"fallbacks"`
	Degraded        []string      `json:"degraded"`
	Experiment      *arm          `json:"experiment"`
	Holdout         bool          `json:"holdout"`
}

// arm is the side of an experiment that a request was on.
type arm struct {
	ID  string `json:"id"`
	Arm string `json:"arm"`
}

func (a *API) complete(c echo.Context) error {
	r, stream, err := a.readRequest(c)
	if err != nil {
		return err
	}
	if stream {
		return a.answerInPieces(c, r, plainStream{})
	}
	answer, err := a.answerWhole(c, r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, completionOf(answer))
}

// describe tells what was done in headers, for clients that do not look into
// the body.
func describe(c echo.Context, f *event.CompletionRecorded) {
	x := exchangeOf(c)
	x.set(headerModel, f.Model)
	x.set(headerStrategy, f.Strategy)
	x.set(headerCache, f.Cache)
	x.set(headerCost, pricing.Nanos(f.CostNanos).String())
	if in := armOf(f); in != nil {
		x.set(headerExperiment, in.ID+"/"+in.Arm)
	}
}

func completionOf(answer gateway.Answer) completion {
	f := answer.Fact
	return completion{
		RequestID: f.ID.String(), Response: answer.Text + answer.Refusal, FinishReason: f.FinishReason,
		Provider: f.Provider, Model: f.Model,
		Strategy: f.Strategy, Confidence: f.Confidence, Reason: f.Reason, Complexity: rounded(f.Complexity),
		TokensIn: f.TokensIn, TokensOut: f.TokensOut,
		CostUSD: pricing.Nanos(f.CostNanos), BaselineCostUSD: pricing.Nanos(f.BaselineCostNanos),
		SavingsUSD: pricing.Nanos(f.SavingsNanos()),
		Cache:      f.Cache, LatencyMS: float64(f.LatencyUS) / 1000,
		Fallbacks: notNil(f.Fallbacks), Degraded: notNil(f.Degraded), Experiment: armOf(f), Holdout: f.Holdout,
	}
}

// rounded drops what is beyond three decimals, which is noise; it never rounds
// up, so that no score reads as lying in another tier than its own. The fact
// keeps them all.
func rounded(score float64) float64 { return math.Floor(score*1000+1e-9) / 1000 }

// armOf is the experiment that the caller sees; layers may add more to the fact.
func armOf(f *event.CompletionRecorded) *arm {
	if len(f.Experiments) == 0 {
		return nil
	}
	return &arm{ID: f.Experiments[0].Experiment, Arm: f.Experiments[0].Arm}
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// readRequest reads and checks a body, and names everything wrong with it.
// stream says that the answer shall come in pieces.
func (a *API) readRequest(c echo.Context) (r gateway.Request, stream bool, err error) {
	o, err := readObject(c.Request(), `{"prompt": "…"}`)
	if err != nil {
		return gateway.Request{}, false, err
	}
	return a.checkRequest(c, o)
}

func (a *API) checkRequest(c echo.Context, o *object) (r gateway.Request, stream bool, err error) {
	caller := callerOf(c)
	r = gateway.Request{ID: idOf(c), Project: caller.Project, KeyID: caller.KeyID, CallerID: exchangeOf(c).callerID, Degraded: a.degradedOf(c),
		Budgets: a.budgetsOf(caller)}
	r.Ask.Messages = readMessages(o)
	r.Ask.MaxTokens = o.whole("max_tokens", 1, maxMaxTokens, defaultMaxTokens)
	r.Ask.Temperature = o.number("temperature", 0, maxTemperature)
	r.Strategy = o.oneOf("strategy", a.Names.Strategies)
	r.Model = o.oneOf("model", a.Names.Models)
	a.readConstraints(o, &r)
	r.Metadata = o.pairs("metadata", maxMetadata, maxMetadataKey, maxMetadataValue)
	readIdentity(o, &r)
	r.Reuse = o.oneOf("cache", cacheUses) != cacheBypass
	stream = o.boolean("stream")
	if o.finish(); o.faults.Count() > 0 {
		return r, stream, o.faults.Err()
	}
	return r, stream, a.grant(caller, &r, askedIn{"model", "models", "strategy", "experiment_id"})
}

func readIdentity(o *object, r *gateway.Request) {
	r.UserID = o.text("user_id", maxID)
	r.SessionID = o.text("session_id", maxID)
	r.Experiment = o.text("experiment_id", maxID)
	if r.Experiment != "" && r.UserID == "" {
		o.fail("user_id", "is missing: experiment_id needs it")
	}
}

// degradedOf lists what could not be done for a request before it was read,
// and the stores that it is answered without.
func (a *API) degradedOf(c echo.Context) []string {
	away := a.Health.Away()
	if what := exchangeOf(c).degraded; what != "" {
		return append([]string{what}, away...)
	}
	return away
}

// Uses of the caches.
const (
	cacheDefault = "default"
	cacheBypass  = "bypass"
)

var cacheUses = []string{cacheDefault, cacheBypass}
