package openai

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/sse"
)

// stream asks for an answer in pieces and hands each on as it comes.
func (p *Provider) stream(ctx context.Context, r llm.Request, body []byte) (llm.Response, error) {
	callCtx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	response, err := p.post(callCtx, p.chat, body, acceptStream)
	if err != nil {
		return llm.Response{}, err
	}
	defer response.Body.Close()
	in := bufio.NewReaderSize(response.Body, 16<<10)
	whole, err := comesWhole(in, response.Header)
	if err != nil && !errors.Is(err, io.EOF) {
		return llm.Response{}, p.transportError(ctx, response.StatusCode, fmt.Errorf("answer cut off: %w", err))
	}
	if whole {
		return p.emitWhole(ctx, r, response, in)
	}
	s := relay{Provider: p, response: response, events: sse.NewReader(in), emit: r.Emit, several: r.N > 1}
	answer, err := s.run(ctx)
	if err == nil {
		hearOut(in, hangUp)
	}
	return answer, err
}

// comesWhole looks whether the vendor answers with one JSON document, or with
// a page, though it was asked for pieces. What it says of the content's type
// does not decide: errors come as JSON under the type of streams, too.
func comesWhole(in *bufio.Reader, header http.Header) (bool, error) {
	for {
		next, err := in.Peek(1)
		if err != nil {
			return false, err
		}
		switch next[0] {
		case ' ', '\t', '\r', '\n':
			_, _ = in.Discard(1) // it is buffered
			continue
		case '{', '[':
			return true, nil
		}
		mediaType, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
		return next[0] == '<' && mediaType != acceptStream, nil
	}
}

// emitWhole hands on an answer that came in one piece.
func (p *Provider) emitWhole(ctx context.Context, r llm.Request, response *http.Response, body io.Reader) (llm.Response, error) {
	answer, err := p.readAnswer(ctx, response, body, maxAnswer, chat.Decode)
	if err != nil {
		return llm.Response{}, err
	}
	answer.Body = nil
	for _, chunk := range chat.Chunks(answer) {
		if err := r.Emit(chunk); err != nil {
			return answer, p.fail(llm.ErrorCanceled, err)
		}
	}
	return answer, nil
}

// relay is one stream under way.
type relay struct {
	*Provider
	response *http.Response
	events   *sse.Reader
	emit     llm.Emit
	several  bool // answers: the end of the first is not that of all
	answer   chat.Assembler
}

// run hands on pieces until the stream ends. Its answer is what was received,
// also beside an error.
func (s *relay) run(ctx context.Context) (llm.Response, error) {
	for {
		event, err := s.events.Next()
		if err != nil {
			return s.received(), s.ended(ctx, err)
		}
		data := bytes.TrimSpace(event.Data)
		if string(data) == "[DONE]" {
			return s.received(), s.done()
		}
		if len(data) == 0 {
			continue // a heartbeat
		}
		if err := s.relay(data); err != nil {
			return s.received(), err
		}
	}
}

func (s *relay) relay(data []byte) error {
	chunk, err := chat.DecodeChunk(data)
	if err != nil {
		return s.decodeError(s.response, data, err)
	}
	s.answer.Add(chunk)
	if s.answer.Size() > maxAnswer {
		return s.failWith(llm.ErrorMalformed, s.response.StatusCode, errTooLarge)
	}
	if err := s.emit(chunk); err != nil {
		return s.fail(llm.ErrorCanceled, fmt.Errorf("nobody takes the answer any more: %w", err))
	}
	return nil
}

func (s *relay) received() llm.Response { return s.answer.Response() }

// done judges a stream that says that it is over: it must have held something.
func (s *relay) done() error {
	if s.answer.Finished() || s.answer.Size() > 0 {
		return nil
	}
	return s.failWith(llm.ErrorMalformed, s.response.StatusCode, errors.New("the stream holds no answer"))
}

// ended judges a stream that is over and did not say so. Where the answer had
// ended nothing is missed but, perhaps, the usage.
func (s *relay) ended(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, sse.ErrTooLong):
		return s.failWith(llm.ErrorMalformed, s.response.StatusCode, err)
	case s.answer.Finished() && (!s.several || errors.Is(err, io.EOF)):
		return nil
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return s.transportError(ctx, s.response.StatusCode, fmt.Errorf("answer cut off: %w", err))
}

// hearOut reads what follows the last piece, which should be the end: only
// then can the connection be used again. A vendor that keeps it open is hung
// up on.
func hearOut(rest io.Reader, hangUp func()) {
	const patience, most = 50 * time.Millisecond, 64 << 10
	timer := time.AfterFunc(patience, hangUp)
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, rest, most) // the answer is there already
}
