// Package redacthook asks an operator's own service to take out of prompts what
// must not leave.
//
// It is sent prompts, so it is asked at the configured address and nowhere
// else: no redirect is followed, no proxy is asked. Its errors quote neither
// what it was sent nor what it answered.
package redacthook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Hook asks one service, any number of times at once.
type Hook struct {
	url    string
	within time.Duration
	client *http.Client
}

// Limits of a call.
const (
	mostHeaders = 64 << 10
	mostAnswer  = 32 << 20 // bytes: some more than a body can hold
	mostIdle    = 64       // connections that wait for the next call
)

// New makes a hook that asks the service at an address, and gives up after
// within.
func New(address string, within time.Duration) *Hook {
	return &Hook{url: address, within: within, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: mostIdle, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: mostHeaders,
			TLSHandshakeTimeout: within},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// question is what the service is sent.
type question struct {
	Project string   `json:"project"`
	Texts   []string `json:"texts"`
}

// answer is what it gives back.
type answer struct {
	Texts  []string          `json:"texts"`
	Values map[string]string `json:"values"` // of its placeholders
}

// Redact gives each text as it may leave, in their order, and what the service's
// placeholders stand for.
func (h *Hook) Redact(ctx context.Context, project string, texts []string) (redacted []string, values map[string]string, err error) {
	body, err := json.Marshal(question{project, texts})
	if err != nil {
		return nil, nil, fmt.Errorf("ask the redaction hook: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, h.within)
	defer cancel()
	a, err := h.ask(ctx, body)
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("the redaction hook did not answer within %s: %w", h.within, ctx.Err())
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the redaction hook failed: %w", err)
	}
	return a.Texts, a.Values, nil
}

func (h *Hook) ask(ctx context.Context, body []byte) (a answer, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return a, errors.New("its address cannot be asked")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "busu")
	response, err := h.client.Do(r)
	if called, ok := errors.AsType[*url.Error](err); ok {
		return a, called.Err
	}
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return a, fmt.Errorf("the answer is %d, must be 200", response.StatusCode)
	}
	said, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer+1))
	switch {
	case err != nil:
		return a, err
	case len(said) > mostAnswer:
		return a, fmt.Errorf("the answer is longer than %d MiB", mostAnswer>>20)
	case json.Unmarshal(said, &a) != nil:
		return answer{}, errors.New(`the answer is not JSON like {"texts": ["…"]}`)
	}
	return a, nil
}
