// Package httpapi is busu over HTTP: routes, JSON, the live feed, and the one
// table that turns errors into status codes.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/idempotency"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/routing"
	"github.com/busuhq/busu/internal/session"
	"github.com/busuhq/busu/internal/tail"
)

// Gateway answers prompts.
type Gateway interface {
	Complete(ctx context.Context, r gateway.Request) (gateway.Answer, error)
	Plan(r gateway.Request) (routing.Plan, error)
}

// Metrics reads what the aggregator has counted, and what the worker has added
// up.
type Metrics interface {
	Live(ctx context.Context, project string) (rollup.Snapshot, error)
	Report(ctx context.Context, project string, w rollup.Window) (rollup.Report, error)
	History(ctx context.Context, project string, s rollup.Span) (rollup.History, error)
}

// API is the HTTP interface. Its fields are set once, before Handler.
type API struct {
	Gateway     Gateway
	Names       Names
	Metrics     Metrics
	Requests    Requests
	Ledger      Ledger
	Savings     Savings
	Accounts    Accounts
	Completions *tail.Hub
	Decisions   *tail.Hub
	Starter     Starter
	Steward     Steward
	Experiments Experiments
	Deliveries  Deliveries
	Repeats     idempotency.Store // nil: an Idempotency-Key has no effect
	Users       gateway.Forgetter
	OnDisk      time.Duration // how long a journal's files hold what was removed elsewhere
	Budgets     Budgets       // nil: there are none
	Limits      Limits        // nil: there are none
	Lineup      Lineup
	Snapshots   Snapshots
	System      System
	Letters     Letters
	Books       Books
	Keys        *access.Keys
	KeyMaker    KeyMaker
	KeyList     KeyList
	Audit       Audit
	Sessions    *session.Sessions // nil: browsers have none
	SessionEnds session.Records
	SignOn      *SignOn // nil: nobody vouches for people
	Proxies     Proxies
	Health      *Health
	Tracer      Tracer        // nil: requests are not followed
	Dashboard   http.Handler  // the pages / and /docs, and the files under /static/
	OpenAPI     func() []byte // JSON; only asked for when somebody wants it
	Log         *slog.Logger

	screen  *screen   // of the live metrics
	buffers sync.Pool // of *[]byte: see buffer
	refused refused   // sign-ins
}

// Handler gives the routes.
func (a *API) Handler() http.Handler {
	a.screen = newScreen(a.Metrics)
	a.screen.export(a.Health.Registry())
	e := newEcho(a.Log, a.checks()...)
	if a.Tracer != nil {
		e.Use(a.trace)
	}
	a.Health.routes(e)
	get(e, "/openapi.json", func(c echo.Context) error { return c.JSONBlob(http.StatusOK, a.OpenAPI()) })
	get(e, "/", a.static)
	get(e, "/docs", a.static)
	get(e, "/static/*", a.static)

	e.POST("/complete", a.repeatable(a.complete))
	e.POST("/feedback", a.repeatable(a.feedback))
	e.POST("/recommendation", a.recommend)
	get(e, "/recommendation", a.recommendQuery)
	e.POST("/v1/chat/completions", a.repeatable(a.chatCompletions))
	e.POST("/v1/messages", a.repeatable(a.anthropicMessages))
	e.POST("/v1/embeddings", a.embeddings)
	get(e, "/v1/models", a.models)
	get(e, "/v1/models/:model", a.model)
	e.DELETE("/users/:user_id", a.forgetUser)
	e.POST("/keys", a.createKey)
	get(e, "/keys", a.listKeys)
	get(e, "/budgets", a.listBudgets)
	get(e, "/keys/:key_id", a.key)
	e.PATCH("/keys/:key_id", a.changeKey)
	e.DELETE("/keys/:key_id", a.revokeKey)
	e.POST("/keys/:key_id/rotate", a.rotateKey)
	get(e, "/audit", a.audit)
	a.identification(e)
	get(e, "/routing/metrics", a.routingMetrics)
	get(e, "/metrics/live", a.live)
	get(e, "/metrics/history", a.history)
	get(e, "/metrics/savings", a.savings)
	get(e, "/usage", a.usage)
	get(e, "/statements/:month", a.statement)
	get(e, "/requests", a.findRequests)
	get(e, "/requests/:request_id", a.request)
	e.POST("/experiments/start", a.repeatable(a.startExperiment))
	e.POST("/experiments/plan", a.planExperiment)
	e.POST("/experiments/:experiment_id/stop", a.stopExperiment)
	e.POST("/experiments/:experiment_id/ramp", a.rampExperiment)
	e.POST("/experiments/:experiment_id/extend", a.extendExperiment)
	e.POST("/experiments/:experiment_id/archive", a.archiveExperiment)
	get(e, "/experiments", a.listExperiments)
	get(e, "/experiments/results", a.allResults)
	get(e, "/experiments/:experiment_id", a.experiment)
	get(e, "/experiments/:experiment_id/results", a.experimentResults)
	get(e, "/experiments/:experiment_id/deliveries", a.experimentDeliveries)
	a.operation(e)
	get(e, "/stream/completions", a.stream(a.Completions))
	get(e, "/stream/decisions", a.stream(a.Decisions))
	return e
}

// identification are the routes about who asks.
func (a *API) identification(e *echo.Echo) {
	get(e, "/whoami", a.whoami)
	get(e, routeSession, a.waysToSignIn)
	e.POST(routeSession, a.signIn)
	e.DELETE(routeSession, a.signOut)
	e.GET(routeSignOn, a.beginSignOn)
	e.GET(routeCallback, a.endSignOn)
}

// operation are the routes about busu itself. What they tell is of all projects,
// but for models and snapshots.
func (a *API) operation(e *echo.Echo) {
	get(e, "/models", a.lineup)
	get(e, "/snapshots", a.snapshots)
	e.POST("/snapshots/:snapshot/rollback", a.rollBack)
	get(e, "/system", a.system)
	get(e, "/reconcile", a.reconcile)
	get(e, "/dead", a.deadLetters)
	get(e, "/dead/:dead_id", a.deadLetter)
	e.POST("/dead/:dead_id/replay", a.replayLetter)
	e.DELETE("/dead/:dead_id", a.deleteLetter)
}

// public reports whether a route answers without a key. It is asked for the
// route's own path: "" where there is none, so unknown paths need a key too.
func public(route string) bool {
	switch route {
	case "/", "/docs", "/static/*", "/healthz", "/readyz", "/metrics", "/openapi.json", routeSession, routeSignOn, routeCallback:
		return true
	}
	return false
}

// get serves HEAD, too, which probes and proxies send. The server leaves its
// body out.
func get(e *echo.Echo, path string, h echo.HandlerFunc) {
	e.GET(path, h)
	e.HEAD(path, h)
}

// static serves the pages and their files. Folders are not listed, and nobody is
// sent elsewhere from a path with dots in it.
func (a *API) static(c echo.Context) error {
	if asked := c.Request().URL.Path; asked != path.Clean(asked) {
		return echo.ErrNotFound
	}
	w := &refusals{ResponseWriter: c.Response()}
	a.Dashboard.ServeHTTP(w, c.Request())
	return w.err()
}

// checks are those of the API's routes, in their order: who asks, before anything
// of the request is looked at, and what they may.
func (a *API) checks() []check {
	return []check{noStore(), a.authenticate, a.ownPagesOnly(), authorize, chooseProject, storableIDs}
}

// noStore keeps answers out of browsers' and proxies' caches.
func noStore() check {
	never := []string{"no-store"} // of all answers
	return func(x *exchange) error {
		if !public(x.Path()) || strings.HasPrefix(x.Path(), routeSession) {
			x.Response().Header()["Cache-Control"] = never
		}
		return nil
	}
}
