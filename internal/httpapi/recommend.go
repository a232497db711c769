package httpapi

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/routing"
)

// recommendation is the decision on a prompt, without the answer.
type recommendation struct {
	Strategy   string             `json:"strategy"`
	Model      string             `json:"model"`
	Provider   string             `json:"provider"`
	Complexity float64            `json:"complexity"`
	Tier       llm.Tier           `json:"tier"`
	Confidence routing.Confidence `json:"confidence"`
	Reason     string             `json:"reason"`
	Candidates []candidate        `json:"candidates"` // in the order they would be tried
}

type candidate struct {
	Model       string        `json:"model"`
	Provider    string        `json:"provider"`
	Tier        llm.Tier      `json:"tier"`
	Quality     float64       `json:"quality"`
	CostUSD     pricing.Nanos `json:"cost_usd"`
	Probability float64       `json:"probability"`
}

// recommend takes the body of /complete, so that the same one can be sent to
// both.
func (a *API) recommend(c echo.Context) error {
	r, _, err := a.readRequest(c)
	if err != nil {
		return err
	}
	return a.sendPlan(c, r)
}

// recommendQuery takes the same from the query.
func (a *API) recommendQuery(c echo.Context) error {
	query, err := readQuery(c)
	if err != nil {
		return err
	}
	r, _, err := a.checkRequest(c, query.object())
	if err != nil {
		return err
	}
	return a.sendPlan(c, r)
}

func (a *API) sendPlan(c echo.Context, r gateway.Request) error {
	r.ID = uuid.Nil // nothing is tried out on who only asks
	plan, err := a.Gateway.Plan(r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, recommendationOf(plan))
}

func recommendationOf(p routing.Plan) recommendation {
	planned := p.Choices[0]
	r := recommendation{
		Strategy: p.Strategy, Model: planned.Model.ID, Provider: planned.Model.Provider,
		Complexity: rounded(p.Complexity), Tier: p.Tier, Confidence: p.Confidence, Reason: p.Reason(),
	}
	for _, c := range p.Choices {
		r.Candidates = append(r.Candidates, candidate{
			Model: c.Model.ID, Provider: c.Model.Provider, Tier: c.Model.Tier,
			Quality: rounded(c.Quality), CostUSD: c.Cost, Probability: c.Probability})
	}
	return r
}
