package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
)

// readAnswer reads a whole answer of at most limit bytes from body, which is
// the response's.
func (p *Provider) readAnswer(ctx context.Context, response *http.Response, body io.Reader, limit int64,
	decode func([]byte) (llm.Response, error)) (llm.Response, error) {
	text, err := readBounded(body, limit)
	if errors.Is(err, errTooLarge) {
		return llm.Response{}, p.failWith(llm.ErrorMalformed, response.StatusCode, err)
	}
	if err != nil {
		return llm.Response{}, p.transportError(ctx, response.StatusCode, fmt.Errorf("answer cut off: %w", err))
	}
	answer, err := decode(text)
	if err != nil {
		return llm.Response{}, p.decodeError(response, text, err)
	}
	return answer, nil
}

// decodeError is an answer, or a piece of one, that is none.
func (p *Provider) decodeError(response *http.Response, text []byte, err error) error {
	if failure, ok := errors.AsType[*chat.FailureError](err); ok {
		return p.failWith(kindOfFailure(failure), failure.Status, errors.New(p.quote(failure.Message)))
	}
	err = fmt.Errorf("%s (content type %q): %s", p.presentable(err.Error()), p.presentable(response.Header.Get("Content-Type")), p.quote(text))
	return p.failWith(llm.ErrorMalformed, response.StatusCode, err)
}
