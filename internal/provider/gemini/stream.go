package gemini

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/busuhq/busu/internal/llm"
)

// stream asks for an answer in pieces and emits each. No event says that the
// answer is over, and some models give a reason to finish more than once: it
// is over when the connection is, if there was a reason.
func (p *Provider) stream(ctx context.Context, a *answer, body []byte) error {
	address := p.address(a.request.Model, "streamGenerateContent")
	address.RawQuery = "alt=sse"
	s, whole, err := p.endpoint.PostStream(ctx, address, http.Header{"Accept": {"text/event-stream"}}, body)
	if err != nil {
		return err
	}
	if s == nil {
		return p.list(ctx, a, whole)
	}
	defer s.Close()
	for {
		event, err := s.Next(ctx)
		if err != nil {
			return p.over(ctx, a, s.Response(), err)
		}
		if err := p.pass(a, s.Response(), event.Data); err != nil {
			return err
		}
		if err := s.Allow(a.size); err != nil {
			return err
		}
	}
}

// pass takes one piece and emits what it adds.
func (p *Provider) pass(a *answer, response *http.Response, data []byte) error {
	chunk, err := a.take(data)
	if err != nil {
		return p.answerError(response, data, err)
	}
	if chunk.Empty() {
		return nil
	}
	return p.emit(a, chunk)
}

func (p *Provider) emit(a *answer, chunk llm.Chunk) error {
	if err := a.request.Emit(chunk); err != nil {
		return p.endpoint.Left(err)
	}
	return nil
}

// over is the end of a stream, in err. Whatever a connection breaks with after
// the reason to finish does no harm to the answer.
func (p *Provider) over(ctx context.Context, a *answer, response *http.Response, err error) error {
	ended := errors.Is(err, io.EOF)
	switch {
	case !a.ended() && ended:
		return p.endpoint.Fail(llm.ErrorUnavailable, response.StatusCode, errors.New("the stream ended before the answer did"))
	case !a.ended(), !ended && ctx.Err() != nil:
		return err
	}
	last, err := a.end()
	if err != nil {
		return p.answerError(response, nil, err)
	}
	return p.emit(a, last)
}

// list is an answer in a JSON document instead of events, as failures are sent
// and as whole answers are when alt=sse gets lost on the way: then it is a
// list of the pieces.
func (p *Provider) list(ctx context.Context, a *answer, whole []byte) error {
	response := &http.Response{StatusCode: http.StatusOK}
	var pieces []json.RawMessage
	if json.Unmarshal(whole, &pieces) != nil {
		pieces = []json.RawMessage{whole}
	}
	for _, piece := range pieces {
		if err := p.pass(a, response, piece); err != nil {
			return err
		}
	}
	return p.over(ctx, a, response, io.EOF)
}
