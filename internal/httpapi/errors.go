package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"os"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/idempotency"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/routing"
	"github.com/busuhq/busu/internal/session"
	"github.com/busuhq/busu/internal/tail"
)

// toldError is an error that says itself what a caller is told.
type toldError interface {
	error
	problem() problem
}

// unknownError names something that there is not.
type unknownError struct {
	what   string // as the problem's type says it
	detail string
	faults []document.Fault
}

func (e *unknownError) Error() string { return e.detail }

func (e *unknownError) problem() problem {
	return problem{Type: "unknown-" + e.what, Status: http.StatusNotFound, Detail: e.detail, Errors: e.faults}
}

func unknownModel(id string) error {
	return &unknownError{what: "model", detail: fmt.Sprintf("there is no model %q: GET /v1/models lists what there is", document.Cut(id)),
		faults: []document.Fault{{Field: "model", Message: "is not known"}}}
}

// unknownRequestError names a request that is not on record.
type unknownRequestError struct {
	id     string
	recent bool // it may be on its way
}

func (e *unknownRequestError) Error() string {
	if e.recent {
		return fmt.Sprintf("there is no request %s on record yet: it may still be under way, or on its way to the database, so ask again in a moment", e.id)
	}
	return fmt.Sprintf("there is no request %q on record: GET /requests lists what there is, in your project", document.Cut(e.id))
}

// problem is a 404, which says when to ask again where that can help.
func (e *unknownRequestError) problem() problem {
	p := problem{Type: "unknown-request", Status: http.StatusNotFound, Detail: e.Error()}
	if e.recent {
		p.retryAfter = 1
	}
	return p
}

// failedError is a request that no provider answered, with what the caller may
// know of it.
type failedError struct {
	detail string
	kind   llm.ErrorKind
	vendor *llm.ProviderError // of the model that was tried last; nil where it was none's
	err    error
}

// retryAfter is what the vendor asked for, in whole seconds.
func (e *failedError) retryAfter() int {
	if e.vendor == nil {
		return 0
	}
	return int(math.Ceil(e.vendor.RetryAfter.Seconds()))
}

func (e *failedError) Error() string { return e.err.Error() }
func (e *failedError) Unwrap() error { return e.err }

var (
	errForeignPage = errors.New("a page of another website sent this request")
	errNotOwnPage  = errors.New("a request that a session's cookie comes with must say that a page of this busu sends it, with Origin or Sec-Fetch-Site: programs send a key")
	errForeignHost = errors.New("without keys only local names and addresses are served, such as localhost: set BUSU_ADMIN_KEY to serve others")
	errTooLarge    = errors.New("the body is larger than 4 MiB")
	errUnread      = errors.New("the body ended before it was complete")
	errUnavailable = errors.New("metrics cannot be read now: neither Redis nor PostgreSQL answers")
	errNoHistory   = errors.New("history cannot be read now, because PostgreSQL does not answer: try again; /metrics/live and /routing/metrics need only Redis")
	errNoSavings   = errors.New("savings cannot be read now, because PostgreSQL does not answer in time: try again; /routing/metrics has what the price table says, and needs only Redis")
	errNoRequests  = errors.New("requests cannot be looked up now, because PostgreSQL does not answer in time: try again; /stream/completions needs only Redis")
	errNoStream    = errors.New("the end of the stream cannot be found now, because Redis does not answer: try again, or say where to begin")
	errStopping    = errors.New("this process is stopping: send the request again")
)

// problem is RFC 9457.
type problem struct {
	Type      string           `json:"type"`
	Title     string           `json:"title"`
	Status    int              `json:"status"`
	Detail    string           `json:"detail,omitempty"`
	RequestID string           `json:"request_id"`
	Errors    []document.Fault `json:"errors,omitempty"`

	retryAfter int // seconds
	failed     *failedError
}

// problemOf is, with the parts of the table below and in other files, the one
// place where errors become status codes; some know their own. What is not
// listed is internal: callers learn nothing of it, the log everything.
func problemOf(err error) problem {
	if told, ok := errors.AsType[toldError](err); ok {
		return told.problem()
	}
	for _, part := range []func(error) (problem, bool){refusal, requestProblem, budgetProblem, limitProblem} {
		if p, ok := part(err); ok {
			return p
		}
	}
	for _, away := range []error{errUnavailable, errNoHistory, errNoSavings, errNoAccounts, errNoRequests, errNoExperiments, errNoStream, errRemains, errNoLetters, errNoBooks, errNoSnapshots, errNoKeys, errSignedOutHere} {
		if errors.Is(err, away) && !errors.Is(err, context.Canceled) {
			return problem{Type: "stores-unavailable", Status: http.StatusServiceUnavailable, Detail: away.Error(), retryAfter: 2}
		}
	}
	var failed *failedError
	var full *gateway.OverloadedError
	switch {
	case errors.As(err, &failed) && errors.As(err, &full):
		return problem{Type: "overloaded", Status: http.StatusServiceUnavailable, Detail: failed.detail,
			retryAfter: int(math.Ceil(full.RetryAfter.Seconds()))}
	case errors.As(err, &failed):
		return problem{Type: "providers-failed", Status: http.StatusBadGateway, Detail: failed.detail, failed: failed, retryAfter: failed.retryAfter()}
	case errors.Is(err, gateway.ErrLedger):
		return problem{Type: "ledger-unavailable", Status: http.StatusServiceUnavailable, retryAfter: 5,
			Detail: "requests cannot be recorded now, so they are not answered"}
	case errors.Is(err, gateway.ErrRedaction):
		return problem{Type: "redaction-unavailable", Status: http.StatusServiceUnavailable, retryAfter: 2,
			Detail: "what must not leave cannot be taken out of the request now, so it is not answered: try again"}
	case errors.Is(err, errUnrecorded):
		return problem{Type: "ledger-unavailable", Status: http.StatusServiceUnavailable, Detail: errUnrecorded.Error(), retryAfter: 5}
	case errors.Is(err, gateway.ErrCanceled), errors.Is(err, errStopping), errors.Is(err, context.Canceled):
		// Callers that left do not see it; those still there see us stop.
		return problem{Type: "stopping", Status: http.StatusServiceUnavailable, Detail: errStopping.Error(), retryAfter: 1}
	case errors.Is(err, tail.ErrFull):
		return problem{Type: "too-many-listeners", Status: http.StatusServiceUnavailable, retryAfter: 5,
			Detail: "this process has as many listeners to this stream as it takes: try again, or another one"}
	default:
		return problem{Type: "internal", Status: http.StatusInternalServerError, Detail: "internal error"}
	}
}

// refusal holds the part of the table that is about who asks.
func refusal(err error) (p problem, ok bool) {
	switch {
	case errors.Is(err, access.ErrNoKey):
		p = problem{Type: "no-key", Status: http.StatusUnauthorized, Detail: "no valid key: send one as 'Authorization: Bearer <key>'"}
	case errors.Is(err, access.ErrEnded):
		p = problem{Type: "no-key", Status: http.StatusUnauthorized, Detail: "the key has expired or was revoked: ask for another one"}
	case errors.Is(err, session.ErrEnded):
		p = problem{Type: "no-key", Status: http.StatusUnauthorized, Detail: "the session has ended: sign in again"}
	case errors.Is(err, access.ErrUnsure) && !errors.Is(err, context.Canceled):
		p = problem{Type: "stores-unavailable", Status: http.StatusServiceUnavailable, retryAfter: 2,
			Detail: "it cannot be found out now whose key this is, because PostgreSQL does not answer in time: try again"}
	case errors.Is(err, errForeignPage), errors.Is(err, errNotOwnPage), errors.Is(err, errForeignHost):
		p = problem{Type: "foreign-page", Status: http.StatusForbidden, Detail: err.Error()}
	}
	return p, p.Status != 0
}

// requestProblem holds the part of the table that is the caller's to mend.
func requestProblem(err error) (p problem, ok bool) {
	var wrong *document.InvalidError
	var window *routing.ContextError
	var tooDear *routing.CostError
	var tooLarge *http.MaxBytesError
	var echoed *echo.HTTPError
	switch {
	case errors.As(err, &wrong) && wrong.Unreadable():
		p = problem{Type: "malformed-request", Status: http.StatusBadRequest, Detail: wrong.Error()}
	case errors.As(err, &wrong):
		p = problem{Type: "invalid-request", Status: http.StatusUnprocessableEntity, Detail: wrong.Error(), Errors: wrong.Faults}
	case errors.As(err, &window):
		p = problem{Type: "context-window", Status: http.StatusUnprocessableEntity, Detail: window.Error(),
			Errors: []document.Fault{{Field: "max_tokens", Message: fmt.Sprintf("and the prompt need about %d tokens, the largest window is %d (model %s)",
				window.Needed, window.Largest, window.Model)}}}
	case errors.As(err, &tooDear):
		p = problem{Type: "max-cost", Status: http.StatusUnprocessableEntity, Detail: tooDear.Error(),
			Errors: []document.Fault{{Field: "max_cost_usd", Message: "is less than any model that can serve the request may cost"}}}
	case errors.Is(err, routing.ErrNoCandidate):
		p = problem{Type: "no-candidate", Status: http.StatusUnprocessableEntity, Detail: routing.ErrNoCandidate.Error()}
	case errors.Is(err, gateway.ErrUnknown):
		p = problem{Type: "invalid-request", Status: http.StatusUnprocessableEntity, Detail: "the strategy or the model is not known"}
	case errors.Is(err, gateway.ErrExperiment):
		p = problem{Type: "invalid-request", Status: http.StatusUnprocessableEntity, Detail: "experiment_id names no experiment of your project",
			Errors: []document.Fault{{Field: "experiment_id", Message: "names no experiment of your project: GET /experiments lists what there is"}}}
	case errors.Is(err, gateway.ErrUnit):
		p = problem{Type: "invalid-request", Status: http.StatusUnprocessableEntity, Detail: err.Error(),
			Errors: []document.Fault{{Field: "session_id", Message: "is missing: this experiment assigns sessions"}}}
	case errors.Is(err, gateway.ErrFormat):
		p = problem{Type: "wrong-endpoint", Status: http.StatusUnprocessableEntity,
			Detail: "this model is not served by this endpoint: its provider does not speak the endpoint's format"}
	case errors.Is(err, access.ErrRevoked):
		p = problem{Type: "revoked", Status: http.StatusConflict, Detail: "the key is revoked, for good: create another one"}
	case errors.Is(err, idempotency.ErrInFlight):
		p = problem{Type: "in-flight", Status: http.StatusConflict, Detail: err.Error() + ": wait for its answer, or ask again in a moment", retryAfter: 1}
	case errors.Is(err, idempotency.ErrOtherRequest):
		p = problem{Type: "idempotency-key-reused", Status: http.StatusUnprocessableEntity, Detail: err.Error() + ": use a new key for a new request",
			Errors: []document.Fault{{Field: headerIdempotencyKey, Message: "was used for another request"}}}
	case errors.Is(err, errTooLarge), errors.As(err, &tooLarge):
		p = problem{Type: "too-large", Status: http.StatusRequestEntityTooLarge, Detail: errTooLarge.Error()}
	case errors.Is(err, errUnread) && errors.Is(err, os.ErrDeadlineExceeded):
		p = problem{Type: "too-slow", Status: http.StatusRequestTimeout, Detail: errUnread.Error()}
	case errors.Is(err, errUnread):
		p = problem{Type: "malformed-request", Status: http.StatusBadRequest, Detail: errUnread.Error()}
	case errors.As(err, &echoed) && echoed.Code < http.StatusInternalServerError:
		p = routeProblem(echoed.Code)
	}
	return p, p.Status != 0
}

// routeProblem is for requests that missed a route.
func routeProblem(status int) problem {
	switch status {
	case http.StatusNotFound:
		return problem{Type: "not-found", Status: status,
			Detail: "there is nothing under this path: /openapi.json lists what there is"}
	case http.StatusMethodNotAllowed:
		return problem{Type: "method-not-allowed", Status: status,
			Detail: "this path has other methods: the header Allow lists them"}
	default:
		return problem{Type: "http", Status: status}
	}
}

// problemURN is what the types of problems begin with.
const problemURN = "urn:busu:problem:"

// tell makes of an error what the caller may know, and logs what the caller
// cannot mend.
func tell(log *slog.Logger, err error, c echo.Context) problem {
	p := problemOf(err)
	p.Type = problemURN + p.Type
	p.Title = http.StatusText(p.Status)
	p.RequestID = exchangeOf(c).idText
	if p.Status >= 500 {
		log.Log(c.Request().Context(), severity(p, err), "request failed",
			"request_id", p.RequestID, "path", c.Path(), "status", p.Status, "err", err)
	}
	return p
}

// writeProblem answers with a problem, where nothing was answered yet.
func writeProblem(log *slog.Logger, err error, c echo.Context) {
	if c.Response().Committed {
		breakOff(log, err, c)
	}
	p := tell(log, err, c)
	contentType, status, body := envelope(c, p)
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, contentType)
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if err := c.JSON(status, body); err != nil {
		log.Debug("error could not be sent", "err", err)
	}
}

// breakOff ends a connection in the middle of an answer: half of one must not
// look like a whole one.
func breakOff(log *slog.Logger, err error, c echo.Context) {
	level := slog.LevelDebug // most clients that do not take their answers have left
	if _, ok := errors.AsType[*panicError](err); ok {
		level = slog.LevelError
	}
	log.Log(c.Request().Context(), level, "an answer broke off", "request_id", idOf(c), "path", c.Path(), "err", err)
	panic(http.ErrAbortHandler)
}

// severity is error only for what is a mistake in this program.
func severity(p problem, err error) slog.Level {
	switch {
	case p.Status == http.StatusInternalServerError:
		return slog.LevelError
	case errors.Is(err, gateway.ErrCanceled), errors.Is(err, context.Canceled):
		return slog.LevelDebug
	default:
		return slog.LevelWarn
	}
}
