package endpoint

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/sse"
)

const (
	// MaxAnswer bounds a whole answer, in bytes. The longest of 128,000 tokens
	// have about a megabyte.
	MaxAnswer = 8 << 20
	// maxStream bounds a streamed one: around each token there are a hundred
	// bytes and more of envelope.
	maxStream = 64 << 20
	maxError  = 64 << 10 // read of an error; far less is quoted
)

// errTooLarge says that a vendor goes on and on.
var errTooLarge = errors.New("the answer is larger than any can be")

// ReadAll reads all of r, or fails beyond limit bytes.
func ReadAll(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(body)) > limit {
		return body[:limit], errTooLarge
	}
	return body, err
}

// ReadAnswer reads a whole answer. Its error is a *llm.ProviderError.
func (e *Endpoint) ReadAnswer(ctx context.Context, response *http.Response) ([]byte, error) {
	return e.ReadUpTo(ctx, response, MaxAnswer)
}

// ReadUpTo is ReadAnswer for answers of at most limit bytes.
func (e *Endpoint) ReadUpTo(ctx context.Context, response *http.Response, limit int64) ([]byte, error) {
	size := response.ContentLength
	if size < 0 || size > min(limit, mostAtOnce) {
		return e.readAnswer(ctx, response, response.Body, limit)
	}
	body := make([]byte, size) // as long as it says it is: three allocations less than growing to that
	if _, err := io.ReadFull(response.Body, body); err != nil {
		return nil, e.cutOff(ctx, response, err)
	}
	return body, nil
}

// mostAtOnce is how many bytes are believed to come before they have.
const mostAtOnce = 1 << 20

func (e *Endpoint) readAnswer(ctx context.Context, response *http.Response, from io.Reader, limit int64) ([]byte, error) {
	body, err := ReadAll(from, limit)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, e.Fail(llm.ErrorMalformed, response.StatusCode, err)
	case err != nil:
		return nil, e.cutOff(ctx, response, err)
	}
	return body, nil
}

func (e *Endpoint) cutOff(ctx context.Context, response *http.Response, err error) error {
	return e.CutOff(ctx, response.StatusCode, fmt.Errorf("answer cut off: %w", err))
}

// Stream is an answer that comes as server-sent events.
type Stream struct {
	endpoint *Endpoint
	response *http.Response
	body     *bufio.Reader
	events   *sse.Reader
}

// PostStream is Post for an answer in events; Close ends it. Some vendors
// answer with a JSON document all the same, mostly an error: then there is no
// Stream, and the document is whole.
func (e *Endpoint) PostStream(ctx context.Context, address *url.URL, header http.Header, body []byte) (s *Stream, whole []byte, err error) {
	response, err := e.Post(ctx, address, header, body)
	if err != nil {
		return nil, nil, err
	}
	s = &Stream{endpoint: e, response: response}
	s.body = bufio.NewReaderSize(&bounded{response.Body, maxStream}, 16<<10)
	s.events = sse.NewReader(s.body)
	begins, err := s.begins()
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		s.Close()
		return nil, nil, e.CutOff(ctx, response.StatusCode, fmt.Errorf("answer cut off: %w", err))
	case begins != '{' && begins != '[':
		return s, nil, nil
	}
	defer s.Close()
	whole, err = e.readAnswer(ctx, response, s.body, MaxAnswer)
	return nil, whole, err
}

// begins is the first byte that is not white space; it stays to be read.
func (s *Stream) begins() (byte, error) {
	for {
		next, err := s.body.Peek(1)
		if err != nil {
			return 0, err
		}
		switch next[0] {
		case ' ', '\t', '\r', '\n':
			_, _ = s.body.Discard(1) // it is buffered
		default:
			return next[0], nil
		}
	}
}

// Close ends the stream.
func (s *Stream) Close() { _ = s.response.Body.Close() }

// Response is what the stream came with.
func (s *Stream) Response() *http.Response { return s.response }

// Next returns the next event. The end of the stream is io.EOF, every other
// error a *llm.ProviderError.
func (s *Stream) Next(ctx context.Context) (sse.Event, error) {
	event, err := s.events.Next()
	switch {
	case err == nil, errors.Is(err, io.EOF) && ctx.Err() == nil:
		return event, err
	case errors.Is(err, sse.ErrTooLong), errors.Is(err, errTooLarge):
		return event, s.endpoint.Fail(llm.ErrorMalformed, s.response.StatusCode, err)
	}
	return event, s.endpoint.CutOff(ctx, s.response.StatusCode, fmt.Errorf("answer cut off: %w", err))
}

// Allow fails when an answer has grown to more than MaxAnswer bytes.
func (s *Stream) Allow(size int) error {
	if size > MaxAnswer {
		return s.endpoint.Fail(llm.ErrorMalformed, s.response.StatusCode, errTooLarge)
	}
	return nil
}

// HearOut reads what follows the last event, which should be the end: only
// then can the connection be used again. A vendor that keeps it open is hung
// up on.
func (s *Stream) HearOut() {
	const patience, most = 50 * time.Millisecond, 64 << 10
	timer := time.AfterFunc(patience, s.Close)
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, s.body, most) // the answer is there already
}

// bounded fails beyond left bytes.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
