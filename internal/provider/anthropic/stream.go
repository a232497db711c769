package anthropic

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/messages"
	"github.com/busuhq/busu/internal/provider/endpoint"
	"github.com/busuhq/busu/internal/sse"
)

// stream asks for an answer in pieces and hands each on as it comes. Its
// answer is what was received, also beside an error.
func (p *Provider) stream(ctx context.Context, r llm.Request, body []byte) (llm.Response, error) {
	in, whole, err := p.endpoint.PostStream(ctx, p.address, p.header(r, "text/event-stream"), body)
	switch {
	case err != nil:
		return llm.Response{}, err
	case in == nil:
		return llm.Response{}, p.notStreamed(whole)
	}
	defer in.Close()
	relay := relay{Provider: p, request: r, in: in}
	err = relay.run(ctx)
	return relay.answer.Response(), err
}

// notStreamed is a JSON document where events should be.
func (p *Provider) notStreamed(whole []byte) error {
	response := &http.Response{StatusCode: http.StatusOK}
	if _, err := messages.Decode(whole); err != nil {
		return p.answerError(response, whole, err)
	}
	return p.endpoint.Malformed(response, whole, errors.New("the answer came whole where a stream was asked for"))
}

// relay is one stream under way.
type relay struct {
	*Provider
	request llm.Request
	in      *endpoint.Stream
	answer  messages.Stream
}

func (s *relay) run(ctx context.Context) error {
	for {
		event, err := s.in.Next(ctx)
		switch {
		case errors.Is(err, io.EOF) && s.answer.Finished():
			return nil // nothing is missed but the word that this was all
		case errors.Is(err, io.EOF):
			return s.endpoint.CutOff(ctx, http.StatusOK, errors.New("the stream ended before the answer did"))
		case err != nil:
			return err
		}
		if err := s.relay(event); err != nil {
			return err
		}
		if s.answer.Done() {
			s.in.HearOut()
			return nil
		}
	}
}

// relay hands one event on: to those who asked in the vendor's own words each
// one as it is, to others what it adds.
func (s *relay) relay(event sse.Event) error {
	chunk, err := s.answer.Take(event.Data)
	if err != nil {
		return s.answerError(s.in.Response(), event.Data, err)
	}
	if native(s.request) {
		chunk.Event, chunk.Data = event.Name, event.Data
	} else if chunk.Empty() && chunk.Usage == nil {
		return nil
	}
	if err := s.request.Emit(chunk); err != nil {
		return s.endpoint.Left(err)
	}
	return s.in.Allow(s.answer.Size())
}
