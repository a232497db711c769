package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/busuhq/busu/internal/llm"
)

// wireRequest is what is posted. Zero limits are left out.
type wireRequest struct {
	Model               string        `json:"model"`
	Messages            []wireMessage `json:"messages"`
	MaxTokens           int           `json:"max_tokens,omitempty"`
	MaxCompletionTokens int           `json:"max_completion_tokens,omitempty"`
	Temperature         *float64      `json:"temperature,omitempty"`
}

type wireMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// limitField is the name under which an endpoint takes the limit of tokens.
type limitField int

const (
	maxTokens           limitField = iota // the old name, which every compatible server knows
	maxCompletionTokens                   // OpenAI's new one, which its reasoning models insist on
)

func limitFieldOf(base *url.URL) limitField {
	host := strings.ToLower(base.Hostname())
	if host == "openai.com" || strings.HasSuffix(host, ".openai.com") || strings.HasSuffix(host, ".openai.azure.com") {
		return maxCompletionTokens
	}
	return maxTokens
}

func (p *Provider) newRequest(ctx context.Context, r llm.Request) (*http.Request, error) {
	body, err := json.Marshal(p.wire(r))
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "busu")
	if p.key != "" {
		request.Header.Set("Authorization", "Bearer "+p.key)
	}
	return request, nil
}

func (p *Provider) wire(r llm.Request) wireRequest {
	w := wireRequest{Model: r.Model, Temperature: r.Temperature,
		Messages: make([]wireMessage, len(r.Messages))} // null is refused with a less helpful message than an empty list
	for i, m := range r.Messages {
		w.Messages[i] = wireMessage{m.Role, m.Content}
	}
	if p.limit == maxCompletionTokens {
		w.MaxCompletionTokens = r.MaxTokens
	} else {
		w.MaxTokens = r.MaxTokens
	}
	return w
}
