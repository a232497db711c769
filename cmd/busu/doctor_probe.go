package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/doctor"
)

const probeWithin = 5 * time.Second

// providerFacts are those of the configured providers; with probe, they are
// asked for their models, which none charges for.
func providerFacts(ctx context.Context, cfg config.Config, probe bool) []doctor.Provider {
	all := make([]doctor.Provider, len(cfg.Providers))
	var asked sync.WaitGroup
	for i, p := range cfg.Providers {
		all[i] = doctor.Provider{Name: p.Name, KeyEnv: p.APIKeyEnv, Simulated: p.Kind == config.KindSimulated}
		if probe && !all[i].Simulated {
			asked.Go(func() { all[i].Probe = new(probeOf(ctx, p)) })
		}
	}
	asked.Wait()
	return all
}

// probeOf asks a provider for its models. A redirect would show the key to
// whoever it points at, so none is followed.
func probeOf(ctx context.Context, p config.Provider) doctor.Probe {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.BaseURL+modelsPath(p.Kind), nil)
	if err != nil {
		return doctor.Probe{Err: "its address cannot be used"}
	}
	for _, h := range p.Headers {
		r.Header.Set(h.Name, h.Value)
	}
	if p.Kind == config.KindAnthropic {
		r.Header.Set("anthropic-version", "2023-06-01") // it answers nobody who does not say
	}
	name, value := keyHeader(p)
	if p.APIKey.IsSet() {
		r.Header.Set(name, value)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	began := time.Now()
	answer, err := client.Do(r)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	if err != nil {
		return doctor.Probe{Err: strings.ReplaceAll(err.Error(), "\n", " ")}
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 1<<20)
	return doctor.Probe{Status: answer.StatusCode, Took: time.Since(began)}
}

func modelsPath(kind string) string {
	if kind == config.KindAnthropic { // whose base is before the version
		return "/v1/models"
	}
	return "/models"
}

func keyHeader(p config.Provider) (name, value string) {
	switch p.Kind {
	case config.KindAnthropic:
		return "x-api-key", p.APIKey.Reveal()
	case config.KindGemini:
		return "x-goog-api-key", p.APIKey.Reveal()
	default:
		return "Authorization", "Bearer " + p.APIKey.Reveal()
	}
}
