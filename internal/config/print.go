package config

import (
	"crypto/tls"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// Print writes the effective configuration: the environment as comments, then
// a busu.yaml that loads to the same. Secrets show as [set], passwords as ***.
func (c Config) Print(w io.Writer) error {
	p := &printer{}
	p.environment(c)
	p.providers(c.Providers)
	p.models(c.Models)
	if c.Prices.File != "" {
		p.line("\nprices:\n  file: %s", quote(c.Prices.File))
	}
	p.policies(c)
	_, err := io.WriteString(w, p.text.String())
	return err
}

// printer collects lines.
type printer struct{ text strings.Builder }

func (p *printer) line(format string, args ...any) { fmt.Fprintf(&p.text, format+"\n", args...) }

// plain are texts that YAML reads as themselves, but for the reserved words.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._/-]*$`)

// reserved are words that some version of YAML reads as something else.
var reserved = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

// quote writes text so that every YAML reads it as the same text.
func quote(s string) string {
	if plain.MatchString(s) && !slices.Contains(reserved, strings.ToLower(s)) {
		return s
	}
	return strconv.Quote(s)
}

func (p *printer) environment(c Config) {
	p.line("# environment")
	for _, variable := range []struct{ name, value string }{
		{"BUSU_ADDR", c.Addr},
		{"BUSU_ADMIN_ADDR", c.Admin},
		{"BUSU_TLS_CERT", c.TLS.Files.Certificate},
		{"BUSU_TLS_KEY", c.TLS.Files.Key},
		{"BUSU_TLS_CLIENT_CA", c.TLS.Files.ClientCA},
		{"BUSU_TLS_MIN_VERSION", strings.TrimPrefix(tls.VersionName(c.TLS.Oldest), "TLS ")},
		{"BUSU_MAX_CONNECTIONS", count(c.MaxConnections)},
		{"BUSU_CA", c.Caller.CA},
		{"BUSU_CLIENT_CERT", c.Caller.Certificate},
		{"BUSU_CLIENT_KEY", c.Caller.Key},
		{"BUSU_CONFIG", c.File},
		{"BUSU_STATE_DIR", c.StateDir},
		{"BUSU_DRAIN", c.Drain.String()},
		{"BUSU_ADMIN_KEY", c.AdminKey.String()},
		{"BUSU_WEBHOOK_SECRET", c.WebhookSecret.String()},
		{"BUSU_STATEMENT_KEY", c.StatementKey.String()},
		{"BUSU_OIDC_CLIENT_SECRET", c.OIDC.ClientSecret.String()},
		{"BUSU_LOG_LEVEL", strings.ToLower(c.LogLevel.String())},
		{"BUSU_LOG_FORMAT", string(c.LogFormat)},
		{"DATABASE_URL", c.Database.String()},
		{"DATABASE_READ_URL", c.Read.String()},
		{"DATABASE_READ_MAX_LAG", c.ReadMaxLag.String()},
		{"REDIS_URL", c.Redis.String()},
		{"REDIS_CACHE_URL", c.RedisCache.String()},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", c.OTLP.Endpoint},
		{"OTEL_EXPORTER_OTLP_HEADERS", c.OTLP.Headers.String()},
		{"OTEL_TRACES_SAMPLER_ARG", decimal(c.OTLP.Ratio)},
	} {
		p.variable(variable.name, variable.value)
	}
	seen := map[string]bool{}
	for _, provider := range c.Providers {
		if name := provider.APIKeyEnv; name != "" && !seen[name] {
			seen[name] = true
			p.variable(name, provider.APIKey.String())
		}
	}
}

func (p *printer) variable(name, value string) {
	if value == "" {
		p.line("# %s is not set", name)
		return
	}
	p.line("# %s=%s", name, value)
}

func (p *printer) providers(providers []Provider) {
	p.line("\nproviders:")
	for _, provider := range providers {
		p.line("  - name: %s", quote(provider.Name))
		p.line("    kind: %s", provider.Kind)
		if provider.BaseURL != "" {
			p.line("    base_url: %s", quote(provider.BaseURL))
		}
		if provider.APIKeyEnv != "" {
			p.line("    api_key_env: %s", provider.APIKeyEnv)
		}
		p.headers(provider.Headers)
		p.line("    max_concurrency: %d", provider.MaxConcurrency)
		p.line("    queue: %d", provider.Queue)
		p.line("    retries: %d", provider.Retries)
		p.line("    timeout: %s", formatDuration(provider.Timeout))
		p.line("    attempt_timeout: %s", formatDuration(provider.AttemptTimeout))
		p.line("    first_token_timeout: %s", formatDuration(provider.FirstTokenTimeout))
		p.line("    idle_timeout: %s", formatDuration(provider.IdleTimeout))
		if provider.Kind == KindSimulated {
			p.line("    seed: %d", provider.Simulation.Seed)
			p.line("    speed: %s", decimal(provider.Simulation.Speed))
			p.line("    failure_rate: %s", decimal(provider.Simulation.FailureRate))
		}
	}
}

func (p *printer) headers(headers []Header) {
	if len(headers) > 0 {
		p.line("    headers:")
	}
	for _, h := range headers {
		p.line("      %s: %s", strconv.Quote(h.Name), strconv.Quote(h.Value))
	}
}

func (p *printer) models(models []Model) {
	p.line("\nmodels:")
	for _, m := range models {
		p.line("  - id: %s", quote(m.ID))
		p.line("    provider: %s", quote(m.Provider))
		p.line("    upstream: %s", quote(m.Upstream))
		p.line("    purpose: %s", m.Purpose)
		if m.Tier != "" {
			p.line("    tier: %s", m.Tier)
		}
		p.price(m)
		if m.ContextTokens > 0 {
			p.line("    context_tokens: %d", m.ContextTokens)
		}
		for _, a := range abilities {
			if m.Chats() {
				p.line("    %s: %t", a.key, m.Can(a.ability))
			}
		}
	}
}

// price writes a model's price, except where the table must go on giving it:
// a price that is to change, or that nobody knows.
func (p *printer) price(m Model) {
	if m.Price.Unknown {
		p.line("    # no price is known")
		return
	}
	if len(m.Later) > 0 {
		p.line("    # the price table gives the price, which changes on %s", m.Later[0].From.Format(time.DateOnly))
		return
	}
	p.rates("    ", pricing.LongContext{Input: m.Price.Input, CachedInput: m.Price.CachedInput,
		CacheWriteInput: m.Price.CacheWriteInput, Output: m.Price.Output})
	if m.Price.PerRequest > 0 {
		p.line("    request_usd: %s", m.Price.PerRequest)
	}
	if m.Price.Long.Above > 0 {
		p.line("    long_context:\n      above_tokens: %d", m.Price.Long.Above)
		p.rates("      ", m.Price.Long)
	}
}

func (p *printer) rates(indent string, r pricing.LongContext) {
	p.line(indent+"input_usd_per_mtok: %s", r.Input)
	p.line(indent+"cached_input_usd_per_mtok: %s", r.CachedInput)
	if r.CacheWriteInput != r.Input {
		p.line(indent+"cache_write_usd_per_mtok: %s", r.CacheWriteInput)
	}
	p.line(indent+"output_usd_per_mtok: %s", r.Output)
}

func (p *printer) policies(c Config) {
	p.line("\nrouting:")
	p.line("  strategy: %s", c.Routing.Strategy)
	p.line("  baseline_model: %s", quote(c.Routing.BaselineModel))
	p.line("  quality_target: %s", decimal(c.Routing.QualityTarget))
	p.line("  daily_budget_usd: %s\n  strong_share: %s", c.Routing.DailyBudget, decimal(c.Routing.StrongShare))
	p.line("  holdout: %s", decimal(c.Routing.Holdout))
	p.line("  observation: %s", formatDuration(c.Routing.Observation))
	p.line("  default_experiment: %s", quote(c.Routing.DefaultExperiment))
	p.line("\nshadow:\n  share: %s", decimal(c.Shadow.Share))
	p.line("  daily_budget_usd: %s\n  judge: %s", c.Shadow.DailyBudget, quote(c.Shadow.Judge))
	p.cache(c.Cache)
	p.line("\nretention:\n  prompts: %s", c.Retention.Prompts)
	p.line("  features: %s\n  completions: %s", formatDuration(c.Retention.Features), formatDuration(c.Retention.Completions))
	p.projectRetentions(c.Retention.Projects)
	p.line("\nstreams:\n  partitions: %d\n  read_partitions: %d", c.Streams.Partitions, c.Streams.ReadPartitions)
	p.line("  retention: %s\n  groups: [%s]", formatDuration(c.Streams.Retention), list(c.Streams.Groups))
	p.line("\njournal:\n  max_bytes: %s\n  sync: %s", formatBytes(c.Journal.MaxBytes), formatDuration(c.Journal.Sync))
	p.line("  rotate_after: %s", formatDuration(c.Journal.RotateAfter))
	p.line("\nlimits:\n  when_unavailable: %s", c.Limits.WhenUnavailable)
	p.projectBudgets(c.Limits.Projects)
	p.alerts(c.Limits.Alerts)
	p.line("\nwebhooks:\n  allow: [%s]", list(c.Webhooks.Allow.Entries()))
	p.line("\nkeys:\n  grace: %s", formatDuration(c.Keys.Grace))
	p.signIn(c)
	p.redaction(c.Redaction)
}

// list writes texts side by side.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = quote(text)
	}
	return strings.Join(quoted, ", ")
}

func (p *printer) cache(c Cache) {
	p.line("\ncache:\n  enabled: %t", c.Enabled)
	p.line("  ttl: %s\n  postgres_ttl: %s", formatDuration(c.TTL), formatDuration(c.PostgresTTL))
	p.line("  scope: %s\n  single_flight: %s\n  similar: %t", c.Scope, c.SingleFlight, c.Similar)
	p.line("  memory_bytes: %s\n  redis_bytes: %s", formatBytes(c.MemoryBytes), formatBytes(c.RedisBytes))
}

// count writes a number that 0 is none of.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// decimal writes the shortest decimal that reads back as x.
func decimal(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
