package gemini

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/sse"
)

// readStream reads an answer in pieces and emits each. No event says that the
// answer is over, and some models give a reason to finish more than once: it
// is over when the connection is, if there was a reason.
func (p *Provider) readStream(ctx context.Context, response *http.Response, a *answer, emit llm.Emit) error {
	next, err := events(response.Body)
	for err == nil {
		var data []byte
		if data, err = next(); err != nil {
			break
		}
		chunk, failed := a.take(data)
		if !chunk.Empty() {
			if err := emit(chunk); err != nil {
				return p.fail(llm.ErrorCanceled, fmt.Errorf("nobody takes the answer any more: %w", err))
			}
		}
		if failed != nil {
			return p.answerError(response, data, failed)
		}
	}
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, sse.ErrTooLong):
		return p.failWith(llm.ErrorMalformed, response.StatusCode, err)
	case ctx.Err() != nil && !errors.Is(err, io.EOF):
		return p.transportError(ctx, response.StatusCode, err)
	case a.reason == "":
		return p.transportError(ctx, response.StatusCode, fmt.Errorf("the stream ended before the answer did: %w", err))
	}
	last, err := a.end()
	if err != nil {
		return p.answerError(response, nil, err)
	}
	if err := emit(last); err != nil {
		return p.fail(llm.ErrorCanceled, fmt.Errorf("nobody takes the answer any more: %w", err))
	}
	return nil
}

// events gives the data of a stream's events one by one, and io.EOF after the
// last. A body that is no stream of events, as failures and some gateways
// between send it, counts as one event, or as many as it lists.
func events(body io.Reader) (func() ([]byte, error), error) {
	buffered := bufio.NewReader(body)
	first, err := firstSign(buffered)
	if err != nil {
		return nil, err
	}
	if first != '{' && first != '[' && first != '<' {
		reader := sse.NewReader(buffered)
		return func() ([]byte, error) {
			e, err := reader.Next()
			return e.Data, err
		}, nil
	}
	whole, err := readBounded(buffered, maxAnswer)
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if json.Unmarshal(whole, &list) != nil {
		list = []json.RawMessage{whole}
	}
	return func() ([]byte, error) {
		if len(list) == 0 {
			return nil, io.EOF
		}
		data := list[0]
		list = list[1:]
		return data, nil
	}, nil
}

// firstSign is the first byte that is not white space, which stays unread.
func firstSign(r *bufio.Reader) (byte, error) {
	for {
		next, err := r.Peek(1)
		if err != nil {
			return 0, err
		}
		switch next[0] {
		case ' ', '\t', '\r', '\n':
			_, _ = r.Discard(1) // it is buffered
		default:
			return next[0], nil
		}
	}
}
