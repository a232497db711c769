package chat

import (
	"errors"
	"fmt"

	"github.com/busuhq/busu/internal/llm"
)

// DecodeEmbeddings reads an answer in OpenAI's format of embeddings, which has
// the errors and the usage of chat completions. It keeps it as Response.Body
// and fails as Decode does.
func DecodeEmbeddings(body []byte) (llm.Response, error) {
	e, err := open(body)
	if err != nil {
		return llm.Response{}, fmt.Errorf("the answer %w", err)
	}
	if err := e.err(); err != nil {
		return llm.Response{}, err
	}
	if !e.data.IsArray() || !present(e.data) {
		return llm.Response{}, errors.New("the answer holds no embeddings")
	}
	r := llm.Response{Model: e.model.String(), Body: body}
	usage, err := e.told(choice{})
	if usage != nil {
		r.Usage = *usage
	}
	return r, err
}
