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

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/experiment"
)

// check looks at a request before its route does, and may refuse it.
type check func(x *exchange) error

// shell is what is around every route: request ids, limits, and errors as
// problems.
type shell struct {
	log    *slog.Logger
	checks []check // in this order

	// All answers share these values: whoever sets another puts one of its own in
	// their place.
	sniff, referrer, frame, policy, transport []string
}

// newEcho makes what every process serves HTTP with.
func newEcho(log *slog.Logger, checks ...check) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	s := &shell{log: log, checks: checks, sniff: []string{"nosniff"}, referrer: []string{"no-referrer"}, frame: []string{"DENY"},
		policy:    []string{"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
		transport: []string{"max-age=31536000"}} // a year, of this name alone
	e.Use(s.around)
	return e
}

// around is the one middleware: Echo makes a closure of each for each request.
// Handlers get an exchange as their context.
func (s *shell) around(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		x := &exchange{Context: c, head: c.Response().Header()}
		if err := s.serve(x, next); err != nil {
			writeProblem(s.log, err, x)
		}
		return nil
	}
}

// serve answers, or says why not. Before a refusal it reads what the client is
// still sending: many look for the answer only when they have sent everything,
// and would take a closed connection for a failure. Those that expect a 100 wait
// before they send.
func (s *shell) serve(x *exchange, next echo.HandlerFunc) error {
	if err := x.name(); err != nil {
		return err
	}
	s.secure(x)
	limitWrites(x)
	sent := x.Request()
	limitBody(x)
	err := s.route(x, next)
	if err != nil && given(sent.Header, "Expect") == "" {
		_, _ = io.CopyN(io.Discard, sent.Body, maxDrain)
	}
	return err
}

// route goes through the checks to the route's handler. A panic of theirs is an
// error.
func (s *shell) route(x *exchange, next echo.HandlerFunc) (err error) {
	defer func() {
		v := recover()
		if v == http.ErrAbortHandler {
			panic(v) // asks the server to drop the connection
		}
		if v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	for _, allow := range s.checks {
		if err := allow(x); err != nil {
			return err
		}
	}
	return next(x)
}

// secure sets the headers by which browsers take no answer for something else.
// What only concerns pages is left out of answers to prompts, which no browser
// shows: with it the map of their headers grows twice, which is 2 KB.
func (s *shell) secure(x *exchange) {
	h := x.head
	h["X-Content-Type-Options"] = s.sniff
	if x.Request().Method != http.MethodPost || !traced(x.Path()) {
		h["Referrer-Policy"], h["X-Frame-Options"], h["Content-Security-Policy"] = s.referrer, s.frame, s.policy
	}
	if r := x.Request(); r.TLS != nil && hasItsName(r.Host) {
		h["Strict-Transport-Security"] = s.transport
	}
}

// hasItsName reports whether busu was asked at HTTPS's own port of a name. Only
// then are browsers told to ask that name by HTTPS alone: they would do so on all
// of its ports, where others may speak plain HTTP; of localhost that is whatever
// a developer runs.
func hasItsName(host string) bool {
	return !strings.ContainsAny(host, ":[]") && !strings.EqualFold(host, "localhost") && net.ParseIP(host) == nil
}

// storableIDs refuses, as unknown, the ids in paths that PostgreSQL cannot be
// asked for: its refusal would look as if it were away.
func storableIDs(x *exchange) error {
	if id := x.Param("experiment_id"); !storable(id) {
		return experimentFailure(id, experiment.ErrUnknown)
	}
	if id := x.Param("key_id"); !storable(id) {
		return keyFailure(id, access.ErrUnknown)
	}
	return nil
}

// panicError is a panic with its stack, for the log.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// Limits on bodies.
const (
	// maxBody holds 200,000 characters, which take up to 2.4 MB as escaped
	// JSON, and a conversation around them.
	maxBody = 4 << 20
	// maxDrain is how much of a refused body is read and thrown away.
	maxDrain = 16 << 20
)

// limitBody ends a body that is too large, where its length is not said or is not
// refused for it. The server looks at the body of its own request: so the limit is
// in a copy.
func limitBody(x *exchange) {
	r := x.Request()
	if r.ContentLength >= 0 && r.ContentLength <= maxBody { // nearly always; the server reads no more than that
		return
	}
	limited := r.WithContext(r.Context())
	limited.Body = http.MaxBytesReader(nil, r.Body, maxBody)
	x.SetRequest(limited)
}

// writeWithin is how long a client may take for an answer, from when it begins.
// The longest, of many embeddings, have some ten megabytes.
const writeWithin = 5 * time.Minute

// timed gives each answer a time of its own, from when it begins: models take as
// long as they do. Without one, a client that does not read would hold it for
// ever. Events have less, and anew for each.
type timed struct{ http.ResponseWriter }

// WriteHeader begins an answer.
func (w *timed) WriteHeader(status int) {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeWithin)) // fails for what is no connection
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap gives the rest of what a connection can do.
func (w *timed) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// limitWrites puts timed before an answer. The server takes the time away behind
// it: what comes next on the same connection may take as long as it does.
func limitWrites(x *exchange) {
	x.out = timed{x.Response().Writer}
	x.Response().Writer = &x.out
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
