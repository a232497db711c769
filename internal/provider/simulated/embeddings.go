package simulated

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/busuhq/busu/internal/llm"
)

// Embedding is the upstream name of the model that does nothing but embed. The
// others embed too, in the same way.
const Embedding = "embedding"

const (
	dimensions    = 256 // where the caller does not say
	maxDimensions = 4096
	maxInputs     = 2048
)

// embeddingRequest is what of OpenAI's format matters here.
type embeddingRequest struct {
	Input      json.RawMessage `json:"input"`
	Encoding   string          `json:"encoding_format"`
	Dimensions *int            `json:"dimensions"`
}

type embeddingAnswer struct {
	Object string         `json:"object"`
	Data   []embedding    `json:"data"`
	Model  string         `json:"model"`
	Usage  embeddingUsage `json:"usage"`
}

type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // numbers, or base64 of little-endian float32
}

type embeddingUsage struct {
	Prompt int64 `json:"prompt_tokens"`
	Total  int64 `json:"total_tokens"`
}

// embed answers with one vector for each input.
func (p *Provider) embed(ctx context.Context, r llm.Request) (llm.Response, error) {
	reject := func(status int, err error) (llm.Response, error) {
		return llm.Response{}, p.fail(llm.ErrorRejected, status, err)
	}
	if _, chats := modelNamed(r.Model); !chats && r.Model != Embedding {
		return reject(http.StatusNotFound, fmt.Errorf("no simulated model is called %q: there are %v and %s", r.Model, Models(), Embedding))
	}
	if r.Emit != nil {
		return reject(http.StatusBadRequest, errors.New("embeddings do not come in pieces; ask without stream"))
	}
	w, inputs, err := readEmbedding(r.Body)
	if err != nil {
		return reject(http.StatusBadRequest, err)
	}
	tokens := int64(0)
	for _, input := range inputs {
		tokens += input.tokens
	}
	clock := p.start(pace{first: 30 * time.Millisecond, perToken: 10 * time.Microsecond})
	if p.unlucky(r.Model, inputs[0].text) {
		return llm.Response{}, p.unavailable(ctx, clock)
	}
	if err := p.wait(ctx, clock, tokens); err != nil {
		return llm.Response{}, err
	}
	return llm.Response{Model: r.Model, Usage: llm.Usage{In: tokens}, Body: marshal(w.answer(r.Model, inputs, tokens))}, nil
}

func (w embeddingRequest) answer(model string, inputs []embeddingInput, tokens int64) embeddingAnswer {
	a := embeddingAnswer{Object: "list", Model: model, Usage: embeddingUsage{tokens, tokens}, Data: make([]embedding, len(inputs))}
	for i, input := range inputs {
		v := vector(input.text, *w.Dimensions)
		a.Data[i] = embedding{Object: "embedding", Index: i, Embedding: v}
		if w.Encoding == "base64" {
			a.Data[i].Embedding = packed(v)
		}
	}
	return a
}

// embeddingInput is a text, or a list of tokens written out as one.
type embeddingInput struct {
	text   string
	tokens int64
}

func readEmbedding(body []byte) (embeddingRequest, []embeddingInput, error) {
	var w embeddingRequest
	if err := json.Unmarshal(body, &w); err != nil {
		return w, nil, fmt.Errorf("not an embeddings request: %w", err)
	}
	if w.Dimensions == nil {
		w.Dimensions = new(dimensions)
	}
	switch {
	case *w.Dimensions < 1 || *w.Dimensions > maxDimensions:
		return w, nil, fmt.Errorf("dimensions must be 1 to %d", maxDimensions)
	case w.Encoding != "" && w.Encoding != "float" && w.Encoding != "base64":
		return w, nil, errors.New("encoding_format must be float or base64")
	}
	inputs := readInputs(w.Input)
	if len(inputs) == 0 || len(inputs) > maxInputs {
		return w, nil, fmt.Errorf("input must be a text, a list of tokens, or a list of 1 to %d of either", maxInputs)
	}
	for _, input := range inputs {
		if input.tokens == 0 {
			return w, nil, errors.New("input must not hold an empty text")
		}
	}
	return w, inputs, nil
}

// readInputs reads the four forms that input may have; nil is none of them.
func readInputs(raw json.RawMessage) []embeddingInput {
	var texts []string
	if json.Unmarshal(raw, &texts) != nil {
		texts = make([]string, 1)
		if json.Unmarshal(raw, &texts[0]) != nil {
			return readTokens(raw)
		}
	}
	var inputs []embeddingInput
	for _, text := range texts {
		inputs = append(inputs, embeddingInput{text, countTokens(text)})
	}
	return inputs
}

func readTokens(raw json.RawMessage) []embeddingInput {
	var lists [][]int
	if json.Unmarshal(raw, &lists) != nil {
		lists = make([][]int, 1)
		if json.Unmarshal(raw, &lists[0]) != nil {
			return nil
		}
	}
	var inputs []embeddingInput
	for _, list := range lists {
		var text strings.Builder
		for _, token := range list {
			text.WriteString(strconv.Itoa(token) + " ")
		}
		inputs = append(inputs, embeddingInput{text.String(), int64(len(list))})
	}
	return inputs
}

// vector is a unit vector that is near those of texts with the same words. Each
// word, and each of its runs of three letters at a lower weight, moves a few
// coordinates, so that forms of a word are near each other too. The seed has no
// say: vectors outlive the process that made them.
func vector(text string, size int) []float32 {
	sums := make([]float64, size)
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 {
		words = []string{text}
	}
	for _, word := range words {
		move(sums, word, 1)
		letters := []rune("<" + word + ">")
		for i := 0; i+3 <= len(letters); i++ {
			move(sums, string(letters[i:i+3]), 0.5)
		}
	}
	length := 0.0
	for _, x := range sums {
		length += x * x
	}
	if length == 0 { // all cancelled out
		sums[0], length = 1, 1
	}
	v := make([]float32, size)
	for i, x := range sums {
		v[i] = float32(x / math.Sqrt(length))
	}
	return v
}

// move adds what belongs to a word to four coordinates.
func move(sums []float64, word string, weight float64) {
	h := draw(0, "embedding", word)
	for range 4 {
		sign := 1 - 2*float64(h&1)
		sums[(h>>1)&0x7fff%uint64(len(sums))] += sign * weight
		h >>= 16
	}
}

func packed(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(b)
}
