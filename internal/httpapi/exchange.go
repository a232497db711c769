package httpapi

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/session"
)

// exchange is a request and its answer, with what is known of them so far. All of
// it is one allocation: a request that came through the caches had 26 for its
// middleware, of which Echo makes closures anew each time, for Echo's map of
// values, and for its headers.
type exchange struct {
	echo.Context
	id       uuid.UUID // becomes that of its fact
	idText   string
	callerID string // the caller's own id for it

	caller       access.Caller
	session      *session.Session // of a browser; nil: it has none
	projectNamed bool             // by the request, and not by its key

	degraded string // what could not be done for it before it was read, or ""
	repeated string // the key under which its answer is kept for a repetition, or ""
	notKept  bool   // for a repetition

	out    timed
	head   http.Header        // of its answer
	values [mostValues]string // of its answer's headers
	filled int
}

// mostValues is how many headers of an answer share an allocation: all that a
// prompt's has.
const mostValues = 14

// exchangeOf is what a handler's context is: newEcho sees to it.
func exchangeOf(c echo.Context) *exchange { return c.(*exchange) }

func idOf(c echo.Context) uuid.UUID { return exchangeOf(c).id }

func callerOf(c echo.Context) access.Caller { return exchangeOf(c).caller }

func sessionOf(c echo.Context) (session.Session, bool) {
	if one := exchangeOf(c).session; one != nil {
		return *one, true
	}
	return session.Session{}, false
}

// set sets a header of the answer, by its canonical name. Set of http.Header
// takes an allocation for each.
func (x *exchange) set(name, value string) {
	if x.filled == mostValues {
		x.head[name] = []string{value}
		return
	}
	i := x.filled
	x.filled++
	x.values[i] = value
	x.head[name] = x.values[i : i+1 : i+1]
}

// send answers with JSON that is ready.
func (x *exchange) send(body []byte) error {
	x.set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	x.Response().WriteHeader(http.StatusOK)
	_, err := x.Response().Write(body)
	return err
}

// given is a header of the request, by its canonical name: a third of what Get
// takes, which looks first whether a name is canonical.
func given(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

const (
	headerRequestID = "X-Request-Id"
	headerAnthropic = "Request-Id" // the same, where Anthropic's clients look for it
	maxCallerID     = 256
)

// name gives the request its id, which becomes that of its fact, and keeps the
// caller's own beside it.
func (x *exchange) name() (err error) {
	if x.id, err = uuid.NewV7(); err != nil {
		return err
	}
	x.idText = x.id.String()
	x.set(headerRequestID, x.idText)
	r := x.Request()
	if speaksAnthropic(r) {
		x.set(headerAnthropic, x.idText)
	}
	if theirs := given(r.Header, headerRequestID); len(theirs) <= maxCallerID && storable(theirs) {
		x.callerID = theirs
	}
	return nil
}

// storable reports whether PostgreSQL can store s as text.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
