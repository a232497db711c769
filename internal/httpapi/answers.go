package httpapi

import (
	"encoding/json"
	"errors"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
)

// answerWhole makes an answer that comes whole, and tells in headers what was
// done for it.
func (a *API) answerWhole(c echo.Context, r gateway.Request) (gateway.Answer, error) {
	a.own(c, &r)
	answer, err := a.pass(c, r)
	if answer.Fact != nil {
		describe(c, answer.Fact)
	}
	return answer, answerError(answer, err)
}

// dialect is how an endpoint writes a streamed answer.
type dialect interface {
	piece(out *eventWriter, f *event.CompletionRecorded, c llm.Chunk) error
	// end writes what is left of a whole answer, whose fact is recorded.
	end(out *eventWriter, answer gateway.Answer) error
	// fail says why there is no more: an answer that broke off must not look
	// like a whole one.
	fail(out *eventWriter, p problem) error
}

// answerStream is a gateway.Sink that writes server-sent events. Until it
// begins, a failure is an ordinary answer with a status of its own.
type answerStream struct {
	c       echo.Context
	dialect dialect
	out     *eventWriter
	fact    *event.CompletionRecorded
}

// Begin sends the headers.
func (s *answerStream) Begin(f *event.CompletionRecorded) {
	s.fact = f
	describe(s.c, f)
	s.c.Response().Header().Del(headerCost) // not known yet: the last event has it
	s.out = newEventWriter(s.c.Response())
}

// Emit sends a piece at once.
func (s *answerStream) Emit(c llm.Chunk) error {
	if err := s.dialect.piece(s.out, s.fact, c); err != nil {
		return err
	}
	return s.out.flush()
}

// answerInPieces answers with a stream of events.
func (a *API) answerInPieces(c echo.Context, r gateway.Request, d dialect) error {
	a.own(c, &r)
	s := &answerStream{c: c, dialect: d}
	r.Sink = s
	answer, err := a.pass(c, r)
	err = answerError(answer, err)
	if s.out == nil { // an ordinary failure
		if answer.Fact != nil {
			describe(c, answer.Fact)
		}
		return err
	}
	if err == nil {
		err = d.end(s.out, answer)
	} else {
		exchangeOf(c).notKept = true
		err = d.fail(s.out, tell(a.Log, err, c))
	}
	if err := errors.Join(err, s.out.flush()); err != nil {
		a.Log.Debug("the end of a stream could not be sent", "request_id", idOf(c), "err", err)
	}
	return nil
}

// answerError is a gateway's error with what may be said of it.
func answerError(answer gateway.Answer, err error) error {
	if !errors.Is(err, gateway.ErrProviders) {
		return err
	}
	vendor, _ := errors.AsType[*llm.ProviderError](err)
	return &failedError{detail: gateway.Explain(answer.Fact), kind: llm.ErrorKind(answer.Fact.ErrorKind), vendor: vendor, err: err}
}

// plainStream is the dialect of POST /complete: a delta for each piece of
// text, then the same completion as without streaming, or an error.
type plainStream struct{}

func (plainStream) piece(out *eventWriter, _ *event.CompletionRecorded, c llm.Chunk) error {
	text := c.Text + c.Refusal // of which a model gives one or the other
	if text == "" {
		return nil
	}
	return writeEvent(out, "delta", map[string]string{"text": text})
}

func (plainStream) end(out *eventWriter, answer gateway.Answer) error {
	for _, c := range answer.Tail {
		if err := (plainStream{}).piece(out, answer.Fact, c); err != nil {
			return err
		}
	}
	return writeEvent(out, "completion", completionOf(answer))
}

func (plainStream) fail(out *eventWriter, p problem) error { return writeEvent(out, "error", p) }

func writeEvent(out *eventWriter, name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return out.event(name, "", data)
}
