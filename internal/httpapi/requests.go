package httpapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/requests"
)

// Requests finds what was recorded of a project's requests.
type Requests interface {
	Find(ctx context.Context, project string, q requests.Query) (requests.Page, error)
	// Request returns requests.ErrUnknown for one that is not on record.
	Request(ctx context.Context, project string, id uuid.UUID) (requests.Record, error)
}

// findRequests answers with a page of requests.
func (a *API) findRequests(c echo.Context) error {
	q, err := readQuery(c, listed...)
	if err != nil {
		return err
	}
	wanted, err := q.requests()
	if err != nil {
		return err
	}
	page, err := a.Requests.Find(c.Request().Context(), callerOf(c).Project, wanted)
	if err != nil {
		return errors.Join(errNoRequests, err)
	}
	return c.JSON(http.StatusOK, page)
}

// request answers with all that is recorded of one.
func (a *API) request(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	text := c.Param("request_id")
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return &unknownRequestError{id: text}
	}
	r, err := a.Requests.Request(c.Request().Context(), callerOf(c).Project, id)
	if errors.Is(err, requests.ErrUnknown) {
		return &unknownRequestError{id: text, recent: isRecent(id)}
	}
	if err != nil {
		return errors.Join(errNoRequests, err)
	}
	return c.JSON(http.StatusOK, r)
}

// recent is how old a request may be that is perhaps still on its way to the
// database: it may have taken minutes to answer, and the database have been
// away.
const recent = 15 * time.Minute

func isRecent(id uuid.UUID) bool {
	age := time.Since(event.TimeOf(id))
	return id.Version() == 7 && age < recent && age > -time.Minute
}

// Parameters that may come more than once.
var listed = []string{"user_id", "session_id", "caller_id", "key_id", "model", "provider", "strategy", "confidence",
	"status", "error", "cache", "experiment"}

// cacheHit stands for every cache that may have answered.
const cacheHit = "hit"

// requests reads what is looked for.
func (q query) requests() (requests.Query, error) {
	q.refuseOthers(slices.Concat(listed, []string{"failed", "holdout", "degraded", "fallbacks", "min_cost_usd", "min_savings_usd",
		"min_latency_ms", "from", "to", "cursor", "limit"})...)
	for _, name := range listed {
		if strings.ContainsRune(strings.Join(q.lists[name], ""), 0) {
			q.faults.Add(document.CodeValue, name, "holds a NUL byte")
		}
	}
	r := requests.Query{Filter: requests.Filter{
		Users: q.list("user_id"), Sessions: q.list("session_id"), CallerIDs: q.list("caller_id"), KeyIDs: q.list("key_id"),
		Models: q.list("model"), Providers: q.list("provider"), Strategies: q.list("strategy"), ErrorKinds: q.list("error"),
		Experiments: q.list("experiment"),
		Confidences: q.oneOf("confidence", "high", "medium", "low"),
		Statuses:    q.statuses(),
		Caches:      q.caches(),
		Failed:      q.flag("failed"), Holdout: q.flag("holdout"), Degraded: q.flag("degraded"), Fallbacks: q.flag("fallbacks"),
		MinCostNanos: q.dollars("min_cost_usd"), MinSavingsNanos: q.dollars("min_savings_usd"), MinLatencyUS: q.milliseconds("min_latency_ms"),
		From: q.instant("from"), To: q.instant("to"),
	}}
	if !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To) {
		q.faults.Add(document.CodeValue, "to", "must be after from")
	}
	r.Limit = q.count("limit", requests.UsualLimit, requests.MostLimit)
	if text := q.values["cursor"]; text != "" {
		var err error
		if r.Before, err = requests.ParseCursor(text); err != nil {
			q.strayCursor()
		}
	}
	return r, q.faults.Err()
}

func (q query) statuses() []string {
	return q.oneOf("status", event.StatusOK, event.StatusCutOff, event.StatusEmpty, event.StatusError, event.StatusCanceled, event.StatusInterrupted)
}

// caches are where answers may have come from; hit stands for every cache.
func (q query) caches() []string {
	all := q.oneOf("cache", event.CacheMiss, event.CacheMemory, event.CacheRedis, event.CachePostgres, cacheHit)
	if slices.Contains(all, cacheHit) {
		all = append(all, event.CacheMemory, event.CacheRedis, event.CachePostgres)
	}
	return all
}

// oneOf gives the values of a parameter for which there are only some.
func (q query) oneOf(name string, known ...string) []string {
	values := q.list(name)
	for _, v := range values {
		if !slices.Contains(known, v) {
			q.faults.Add(document.CodeValue, name, "is %q, must be one of: %s", document.Cut(v), strings.Join(known, ", "))
		}
	}
	return values
}

// flag is nil where nothing is asked for.
func (q query) flag(name string) *bool {
	yes := q.values[name] == "true"
	switch q.values[name] {
	case "":
		return nil
	case "true", "false":
	default:
		q.faults.Add(document.CodeValue, name, "is %q, must be true or false", document.Cut(q.values[name]))
	}
	return &yes
}

func (q query) dollars(name string) int64 {
	text := q.values[name]
	if text == "" {
		return 0
	}
	n, err := pricing.ParseUSD(text)
	if err != nil || n < 0 {
		q.faults.Add(document.CodeValue, name, "is %q, must be an amount in dollars, with up to 9 decimals", document.Cut(text))
	}
	return int64(n)
}

// milliseconds gives microseconds.
func (q query) milliseconds(name string) int64 {
	const most = 1e12
	text := q.values[name]
	if text == "" {
		return 0
	}
	ms, err := strconv.ParseFloat(text, 64)
	if err != nil || !(ms >= 0 && ms <= most) {
		q.faults.Add(document.CodeValue, name, "is %q, must be a number of milliseconds", document.Cut(text))
		return 0
	}
	return int64(math.Ceil(ms * 1000))
}

// instant is zero where nothing is asked for.
func (q query) instant(name string) time.Time {
	text := q.values[name]
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Year() < 1970 || at.Year() > 2200 {
		q.faults.Add(document.CodeValue, name, "is %q, must be a time such as 2026-11-23T12:00:00Z", document.Cut(text))
		return time.Time{}
	}
	return at
}
