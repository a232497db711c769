package openai

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/endpoint"
)

// stream asks for an answer in pieces and hands each on as it comes. Its
// answer is what was received, also beside an error.
func (p *Provider) stream(ctx context.Context, r llm.Request, body []byte) (llm.Response, error) {
	in, whole, err := p.endpoint.PostStream(ctx, p.chat, p.events, body)
	switch {
	case err != nil:
		return llm.Response{}, err
	case in == nil:
		return p.emitWhole(r, whole)
	}
	defer in.Close()
	s := relay{Provider: p, in: in, emit: r.Emit, several: r.N > 1}
	err = s.run(ctx)
	answer := s.answer.Response()
	if err == nil {
		answer.FinishReason = cmp.Or(answer.FinishReason, llm.FinishStop)
	}
	return answer, err
}

// emitWhole hands on an answer that came as one document all the same.
func (p *Provider) emitWhole(r llm.Request, said []byte) (llm.Response, error) {
	answer, err := chat.Decode(said)
	if err != nil {
		return llm.Response{}, p.answerError(&http.Response{StatusCode: http.StatusOK}, said, err)
	}
	answer.Body = nil
	for _, chunk := range chat.Chunks(answer) {
		if err := r.Emit(chunk); err != nil {
			return answer, p.endpoint.Left(err)
		}
	}
	return answer, nil
}

// relay is one stream under way.
type relay struct {
	*Provider
	in      *endpoint.Stream
	emit    llm.Emit
	several bool // answers: the end of the first is not that of all
	answer  chat.Assembler
}

// run hands on pieces until the stream ends.
func (s *relay) run(ctx context.Context) error {
	for {
		event, err := s.in.Next(ctx)
		if err != nil {
			return s.ended(ctx, err)
		}
		data := bytes.TrimSpace(event.Data)
		if string(data) == "[DONE]" {
			return s.done()
		}
		if len(data) == 0 {
			continue // a heartbeat
		}
		if err := s.relay(data); err != nil {
			return err
		}
	}
}

func (s *relay) relay(data []byte) error {
	chunk, err := chat.DecodeChunk(data)
	if err != nil {
		return s.answerError(s.in.Response(), data, err)
	}
	s.answer.Add(chunk)
	if err := s.emit(chunk); err != nil {
		return s.endpoint.Left(err)
	}
	return s.in.Allow(s.answer.Size())
}

// done judges a stream that says that it is over: it must have held something.
func (s *relay) done() error {
	if !s.answer.Finished() && s.answer.Size() == 0 {
		return s.endpoint.Fail(llm.ErrorMalformed, http.StatusOK, errors.New("the stream holds no answer"))
	}
	s.in.HearOut()
	return nil
}

// ended judges a stream that is over and did not say so. Where the answer had
// ended nothing is missed but, perhaps, the usage.
func (s *relay) ended(ctx context.Context, err error) error {
	clean := errors.Is(err, io.EOF)
	switch {
	case s.answer.Finished() && (clean || !s.several):
		return nil
	case clean:
		return s.endpoint.CutOff(ctx, http.StatusOK, errors.New("answer cut off: the stream ended before it did"))
	}
	return err
}
