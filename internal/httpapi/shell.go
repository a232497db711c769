package httpapi

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/experiment"
)

// newEcho makes what every process serves HTTP with: request ids, limits, and
// errors as problems.
func newEcho(log *slog.Logger) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = func(err error, c echo.Context) { writeProblem(log, err, c) }
	e.Use(securityHeaders, requestID, limitWrites, recoverPanics, limitBody)
	return e
}

func securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	// All answers share these values: whoever sets another puts one of its own in their place.
	sniff, referrer, frame := []string{"nosniff"}, []string{"no-referrer"}, []string{"DENY"}
	transport := []string{"max-age=31536000"} // a year, of this name alone
	policy := []string{"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
	return func(c echo.Context) error {
		h := c.Response().Header()
		h["X-Content-Type-Options"], h["Referrer-Policy"], h["X-Frame-Options"], h["Content-Security-Policy"] = sniff, referrer, frame, policy
		if r := c.Request(); r.TLS != nil && hasItsName(r.Host) {
			h["Strict-Transport-Security"] = transport
		}
		return next(c)
	}
}

// hasItsName reports whether busu was asked at HTTPS's own port of a name. Only
// then are browsers told to ask that name by HTTPS alone: they would do so on all
// of its ports, where others may speak plain HTTP; of localhost that is whatever
// a developer runs.
func hasItsName(host string) bool {
	return !strings.ContainsAny(host, ":[]") && !strings.EqualFold(host, "localhost") && net.ParseIP(host) == nil
}

// setHeaders sets headers by their canonical names. Their values share one
// allocation, where Set takes one for each, and one more for another name.
func setHeaders(h http.Header, pairs ...[2]string) {
	values := make([]string, len(pairs))
	for i, pair := range pairs {
		values[i] = pair[1]
		h[pair[0]] = values[i : i+1 : i+1]
	}
}

const (
	headerRequestID = "X-Request-Id"
	headerAnthropic = "Request-Id" // the same, where Anthropic's clients look for it
	requestIDKey    = "request-id"
	callerIDKey     = "caller-id"
	maxCallerID     = 256
)

// requestID gives the request its id, which becomes that of its fact, and
// keeps the caller's own beside it.
func requestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		c.Set(requestIDKey, id)
		c.Response().Header().Set(headerRequestID, id.String())
		if speaksAnthropic(c.Request()) {
			c.Response().Header().Set(headerAnthropic, id.String())
		}
		if theirs := c.Request().Header.Get(headerRequestID); len(theirs) <= maxCallerID && storable(theirs) {
			c.Set(callerIDKey, theirs)
		}
		return next(c)
	}
}

func idOf(c echo.Context) uuid.UUID {
	id, _ := c.Get(requestIDKey).(uuid.UUID)
	return id
}

func callerID(c echo.Context) string {
	id, _ := c.Get(callerIDKey).(string)
	return id
}

// storable reports whether PostgreSQL can store s as text.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// storableIDs refuses, as unknown, the ids in paths that PostgreSQL cannot be
// asked for: its refusal would look as if it were away.
func storableIDs(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if id := c.Param("experiment_id"); !storable(id) {
			return experimentFailure(id, experiment.ErrUnknown)
		}
		if id := c.Param("key_id"); !storable(id) {
			return keyFailure(id, access.ErrUnknown)
		}
		return next(c)
	}
}

// panicError is a panic with its stack, for the log.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

func recoverPanics(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			v := recover()
			if v == http.ErrAbortHandler {
				panic(v) // asks the server to drop the connection
			}
			if v != nil {
				err = &panicError{value: v, stack: debug.Stack()}
			}
		}()
		return next(c)
	}
}

// Limits on bodies.
const (
	// maxBody holds 200,000 characters, which take up to 2.4 MB as escaped
	// JSON, and a conversation around them.
	maxBody = 4 << 20
	// maxDrain is how much of a refused body is read and thrown away.
	maxDrain = 16 << 20
)

// limitBody ends a body that is too large. Before a refusal it reads what the
// client is still sending: many look for the answer only when they have sent
// everything, and would take a closed connection for a failure. Those that
// expect a 100 wait before they send.
func limitBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		limited := r.WithContext(r.Context()) // a copy: the server looks at the body of its own
		limited.Body = http.MaxBytesReader(nil, r.Body, maxBody)
		c.SetRequest(limited)
		err := next(c)
		if err != nil && r.Header.Get("Expect") == "" {
			_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
		}
		return err
	}
}

// writeWithin is how long a client may take for an answer, from when it begins.
// The longest, of many embeddings, have some ten megabytes.
const writeWithin = 5 * time.Minute

// limitWrites gives each answer a time of its own, from when it begins: models
// take as long as they do. Without one, a client that does not read would hold
// it for ever; with that of the request before on the same connection, a long
// wait would end it. Events have less, and anew for each.
func limitWrites(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		control := http.NewResponseController(c.Response())
		_ = control.SetWriteDeadline(time.Time{}) // fails for what is no connection
		c.Response().Before(func() { _ = control.SetWriteDeadline(time.Now().Add(writeWithin)) })
		return next(c)
	}
}

// Server wraps a handler with limits on time and headers. That on writing is
// limitWrites's.
func Server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,

		DisableGeneralOptionsHandler: true, // OPTIONS * is answered with our headers, too
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
