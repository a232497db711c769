package httpapi

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
)

// Headers by which vendors' clients say, and are told, what their vendor has no
// word for.
const (
	headersOfBusu    = "X-Busu-" // begin so
	headerModel      = "X-Busu-Model"
	headerCost       = "X-Busu-Cost-Usd"
	headerUser       = "X-Busu-User"
	headerSession    = "X-Busu-Session"
	headerExperiment = "X-Busu-Experiment"
	headerStrategy   = "X-Busu-Strategy"
	headerCache      = "X-Busu-Cache"

	headerMaxCost    = "X-Busu-Max-Cost-Usd"
	headerMinQuality = "X-Busu-Min-Quality"
	headerModels     = "X-Busu-Models"
)

// askingHeaders are busu's that change what is answered.
func askingHeaders() []string {
	return []string{headerUser, headerSession, headerExperiment, headerStrategy, headerCache, headerMaxCost, headerMinQuality, headerModels}
}

// vendorRequest is a request on /v1: ask, from a body in the vendor's words,
// and what busu's headers say beside it.
func (a *API) vendorRequest(c echo.Context, ask llm.Request, user string) (gateway.Request, error) {
	caller := callerOf(c)
	r := gateway.Request{ID: idOf(c), Project: caller.Project, KeyID: caller.KeyID, CallerID: exchangeOf(c).callerID,
		Degraded: a.degradedOf(c), Ask: ask, Budgets: a.budgetsOf(caller)}
	h, f := c.Request().Header, new(document.Faults)
	r.UserID = cmp.Or(headerText(h, headerUser, f), user)
	if len(r.UserID) > maxID || !storable(r.UserID) {
		f.Add(document.CodeValue, "user", "is longer than %d bytes, or cannot be stored", maxID)
	}
	r.SessionID = headerText(h, headerSession, f)
	r.Experiment = headerText(h, headerExperiment, f)
	if r.Experiment != "" && r.UserID == "" {
		f.Add(document.CodeMissing, "user", "is missing: %s needs it", headerExperiment)
	}
	r.Reuse = reusable(headerOneOf(h, headerCache, cacheUses, f), &ask)
	a.headerConstraints(h, &r, f)
	strategy := headerOneOf(h, headerStrategy, a.Names.Strategies, f)
	var err error
	if r.Model, r.Strategy, err = a.Names.choose(ask.Model); err != nil {
		return r, err
	}
	in := askedIn{"model", headerModels, "model", headerExperiment}
	if r.Strategy == "" {
		r.Strategy, in.strategy = strategy, headerStrategy
	}
	if err := f.Err(); err != nil {
		return r, err
	}
	return r, a.grant(caller, &r, in)
}

// reusable reports whether an earlier answer will do. A vendor's clients expect
// one that is made for them, unless they ask for the same one always.
func reusable(use string, ask *llm.Request) bool {
	isFixed := ask.Temperature != nil && *ask.Temperature == 0 || ask.Format == llm.FormatEmbeddings
	return use == cacheDefault || use == "" && isFixed
}

// choose tells what a vendor's client wants by its model: a model, or that
// busu chooses, by a strategy that may be named.
func (n Names) choose(model string) (id, strategy string, err error) {
	if model == modelAuto {
		return "", "", nil
	}
	if s, ok := strings.CutPrefix(model, modelAuto+":"); ok && slices.Contains(n.Strategies, s) {
		return "", s, nil
	}
	if slices.Contains(n.Models, model) || slices.Contains(n.Embedders, model) {
		return model, "", nil
	}
	return "", "", unknownModel(model)
}

func headerText(h http.Header, name string, f *document.Faults) string {
	value := given(h, name)
	if len(value) > maxID || !storable(value) {
		f.Add(document.CodeValue, name, "is longer than %d bytes, or cannot be stored", maxID)
		return ""
	}
	return value
}

func headerOneOf(h http.Header, name string, allowed []string, f *document.Faults) string {
	value := given(h, name)
	if value != "" && !slices.Contains(allowed, value) {
		f.Add(document.CodeValue, name, "is %q, must be one of: %s", document.Cut(value), listing(allowed))
		return ""
	}
	return value
}
