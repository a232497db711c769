package app

import (
	"fmt"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/redact"
	"github.com/busuhq/busu/internal/redacthook"
)

// newRedaction is what is taken out of prompts; nil where nothing is.
func newRedaction(cfg config.Redaction) (*gateway.Redaction, error) {
	if !cfg.IsOn() {
		return nil, nil
	}
	rules, err := redact.Compile(cfg.Patterns, cfg.Expressions)
	if err != nil {
		return nil, fmt.Errorf("redaction: %w", err)
	}
	r := &gateway.Redaction{Rules: rules, Projects: cfg.Projects, Restore: cfg.Restore, Open: cfg.Hook.WhenUnavailable == "open"}
	if cfg.Hook.URL != "" {
		r.Hook = redacthook.New(cfg.Hook.URL, cfg.Hook.Timeout)
	}
	return r, nil
}
