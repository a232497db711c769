package config

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

var update = flag.Bool("update", false, "rewrite the expected outputs in testdata")

// openAIKey is what the tests' environment holds; no output may show it.
const openAIKey = "sk-test-0123456789abcdefghijklmnop"

// env makes an environment of pairs name, value.
func env(pairs ...string) func(string) (string, bool) {
	variables := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		variables[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) {
		v, ok := variables[name]
		return v, ok
	}
}

// files makes a file system of pairs path, content.
func files(pairs ...string) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == path {
				return []byte(pairs[i+1]), nil
			}
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
}

// today is when the tests' configurations are loaded.
var today = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func load(p Process, env func(string) (string, bool), read func(string) ([]byte, error)) (Config, error) {
	return Load(p, env, read, today)
}

// loadYAML loads a busu.yaml in an environment with an OpenAI key.
func loadYAML(text string) (Config, error) {
	return load(All, env("BUSU_CONFIG", "/etc/busu/busu.yaml", "OPENAI_API_KEY", openAIKey), files("/etc/busu/busu.yaml", text))
}

func mustLoad(t *testing.T, text string) Config {
	t.Helper()
	c, err := loadYAML(text)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

func TestDefaultsAreTheContracts(t *testing.T) {
	t.Parallel()
	c, err := load(All, env(), files())
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(c.Addr, c.StateDir, c.Database.IsSet(), c.Redis.IsSet(), c.LogFormat, c.LogLevel,
		c.Routing, c.Shadow, c.Cache, c.Retention, c.Streams, c.Journal, c.Limits)
	want := "127.0.0.1:8000 .local false false auto INFO {hybrid large 0.95 0 0 0.02 10s } {0 5 } {true 5m0s 24h0m0s project process false 8388608 268435456} " +
		"{none 2160h0m0s 9600h0m0s []} {1 1 15m0s []} {2147483648 20ms 1h0m0s} {closed [] {}}\n"
	if got != want {
		t.Errorf("defaults\n got %s\nwant %s", got, want)
	}
	if len(c.Warnings) != 0 || !strings.Contains(strings.Join(c.Notes, "\n"), "simulated provider answers") {
		t.Errorf("notes %q, warnings %q", c.Notes, c.Warnings)
	}
}

func TestSimulatedModels(t *testing.T) {
	t.Parallel()
	c, err := load(All, env(), files())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range c.Models {
		got = append(got, fmt.Sprintf("%s %s %s %s/%s", m.ID, m.Provider, m.Tier, m.Price.Input, m.Price.Output))
	}
	want := "small simulated simple 0.15/0.6, medium simulated moderate 0.8/4, large simulated complex 3/15, embedding simulated  0.02/0"
	if strings.Join(got, ", ") != want {
		t.Errorf("models %s, want %s", strings.Join(got, ", "), want)
	}
	if c.Baseline().ID != "large" {
		t.Errorf("baseline is %q, want large", c.Baseline().ID)
	}
	if p := c.Providers[0]; p.Simulation != (Simulation{Seed: 1, Speed: 1}) || p.Timeout != time.Minute || p.MaxConcurrency != 64 {
		t.Errorf("simulated provider %+v", p)
	}
}

func TestKeysBringTheirModels(t *testing.T) {
	t.Parallel()
	prices, err := pricing.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	c, err := load(All, env("OPENROUTER_API_KEY", "or-key", "CEREBRAS_API_KEY_FILE", "/run/key"),
		files("/run/key", "c-key\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Providers) != 2 || c.Providers[0].Name != "openrouter" || c.Providers[1].APIKey.Reveal() != "c-key" {
		t.Fatalf("providers %+v", c.Providers)
	}
	if want := len(prices.Of("openrouter", today)) + len(prices.Of("cerebras", today)); len(c.Models) != want {
		t.Errorf("%d models, want %d", len(c.Models), want)
	}
	if notes := strings.Join(c.Notes, "\n"); !strings.Contains(notes, prices.Version) {
		t.Errorf("notes %s", notes)
	}
}

func TestAllKeysTogetherGiveUniqueModels(t *testing.T) {
	t.Parallel()
	c, err := load(All, env("OPENAI_API_KEY", "a", "OPENROUTER_API_KEY", "b", "CEREBRAS_API_KEY", "c"), files())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range c.Models {
		if seen[m.ID] {
			t.Errorf("model id %s is there twice", m.ID)
		}
		seen[m.ID] = true
	}
	for _, m := range c.Models {
		if m.Tier == c.Baseline().Tier && listPrice(m) < listPrice(c.Baseline()) {
			t.Errorf("baseline %s is dearer than %s of the same tier", c.Baseline().ID, m.ID)
		}
	}
}

func TestGoodFiles(t *testing.T) {
	t.Parallel()
	for _, path := range testFiles(t, "good") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			c := mustLoad(t, readFile(t, path))
			if len(c.Models) == 0 || c.Baseline().ID == "" {
				t.Errorf("%d models, baseline %q", len(c.Models), c.Baseline().ID)
			}
		})
	}
}

// Each file of testdata/bad ends in comments that say what Load must answer.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	for _, path := range testFiles(t, "bad") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			text, want, _ := strings.Cut(readFile(t, path), "# want:\n")
			_, err := loadYAML(text)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("Load gave %v, want Problems", err)
			}
			got := "# " + strings.ReplaceAll(problems.Error(), "\n", "\n# ") + "\n"
			if *update {
				if err := os.WriteFile(path, []byte(text+"# want:\n"+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("problems\n%swant\n%s", got, want)
			}
			checkEachHasAHint(t, problems)
		})
	}
}

func checkEachHasAHint(t *testing.T, problems Problems) {
	t.Helper()
	for _, p := range problems {
		if p.Hint == "" || (p.Line == 0) == (p.Variable == "") {
			t.Errorf("a problem without hint or place: %+v", p)
		}
	}
}

func testFiles(t *testing.T, kind string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", kind, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s files: %v", kind, err)
	}
	return paths
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFullFileIsReadAsWritten(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, readFile(t, "testdata/good/full.yaml"))
	p, _ := c.Provider("openai")
	if p.BaseURL != "https://api.openai.com/v1" || p.APIKey.Reveal() != openAIKey || p.MaxConcurrency != 32 || p.Queue != 16 || p.Retries != 3 {
		t.Errorf("provider %+v", p)
	}
	if got := fmt.Sprint(p.Timeout, p.AttemptTimeout, p.FirstTokenTimeout, p.IdleTimeout, p.Headers); got !=
		"1m30s 40s 5s 10s [{OpenAI-Organization org-example} {X-Team search & ads}]" {
		t.Errorf("provider %s", got)
	}
	m, _ := c.Model("small")
	if m.Upstream != "gpt-6-luna" || m.Tier != "simple" || m.Price != (pricing.Price{Input: 150_000_000, CachedInput: 15_000_000, CacheWriteInput: 150_000_000, Output: 600_000_000}) || m.ContextTokens != 128000 {
		t.Errorf("model %+v", m)
	}
	got := fmt.Sprint(c.Routing, c.Shadow, c.Cache, c.Retention, c.Streams, c.Journal, c.Limits)
	want := "{complexity large 0.9 0 0 0.05 24h0m0s 01J-default} {0.02 1.25 large} {false 1m0s 168h0m0s key cluster true 33554432 1073741824} {full 1440h0m0s 8760h0m0s []} {4 6 1h0m0s [billing audit]} {1073741824 0s 10m0s} {open [{default 100 month} {default 9.5 day}] {http://10.1.2.3:8080/budgets}}"
	if got != want {
		t.Errorf("sections\n got %s\nwant %s", got, want)
	}
	if got := fmt.Sprint(c.Redaction, c.Redaction.IsOn(), defaults().Redaction.IsOn()); got !=
		`{[email phone card iban secret] [{ORDER \bORD-[0-9]{8}\b}] false [support medical] {https://redact.example.com/v1 500ms open}} true false` {
		t.Errorf("redaction %s", got)
	}
}

func TestModelNatureIsReadAsWritten(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, readFile(t, "testdata/good/full.yaml"))
	if m, _ := c.Model("qwen/qwen3:8b"); !m.Chats() || m.Lacks != llm.AbilityTools|llm.AbilityImages || !m.Can(llm.AbilityJSON) {
		t.Errorf("model %+v", m)
	}
	if m, _ := c.Model("embed"); m.Purpose != llm.PurposeEmbedding || m.Chats() || m.Tier != "" {
		t.Errorf("model %+v", m)
	}
	if m, _ := c.Model("large"); m.Purpose != llm.PurposeChat || !m.Can(llm.AbilityTools|llm.AbilityImages|llm.AbilityJSON) {
		t.Errorf("model %+v", m)
	}
}

// A known provider needs no address and no kind, whatever it is called.
func TestPresets(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, readFile(t, "testdata/good/presets.yaml"))
	for name, want := range map[string]string{
		"ollama": "openai http://127.0.0.1:11434/v1 ", "vllm": "openai http://gpu-1:8000/v1 ",
		"groq-eu": "openai https://api.groq.com/openai/v1 OPENAI_API_KEY",
		"claude":  "anthropic https://api.anthropic.com OPENAI_API_KEY",
		"google":  "gemini https://generativelanguage.googleapis.com/v1beta OPENAI_API_KEY",
	} {
		p, _ := c.Provider(name)
		if got := strings.Join([]string{p.Kind, p.BaseURL, p.APIKeyEnv}, " "); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// No part of a call may take longer than the whole, unless told to in vain.
func TestBoundsFollow(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "providers:\n  - {name: simulated, timeout: 10s, max_concurrency: 5}\n  - {name: patient, preset: simulated, timeout: 5m}\n")
	p, _ := c.Provider("simulated")
	if got := fmt.Sprint(p.Timeout, p.AttemptTimeout, p.FirstTokenTimeout, p.IdleTimeout, p.Queue, p.Retries); got != "10s 10s 10s 10s 20 1" {
		t.Errorf("bounds %s", got)
	}
	p, _ = c.Provider("patient")
	if got := fmt.Sprint(p.Timeout, p.AttemptTimeout, p.FirstTokenTimeout, p.IdleTimeout, p.Queue); got != "5m0s 5m0s 5m0s 20s 256" {
		t.Errorf("bounds %s", got)
	}
}

func TestSimulationKeys(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "providers:\n  - {name: fast, kind: simulated, seed: 18446744073709551615, speed: 0, failure_rate: 0.25}\n")
	p, _ := c.Provider("fast")
	if p.Simulation != (Simulation{Seed: 1<<64 - 1, Speed: 0, FailureRate: 0.25}) {
		t.Errorf("simulation %+v", p.Simulation)
	}
	if m, ok := c.Model("large"); !ok || m.Provider != "fast" {
		t.Errorf("model large is %+v", m)
	}
}

func TestPublicPlainHTTPIsWarnedAbout(t *testing.T) {
	t.Parallel()
	for url, warned := range map[string]bool{
		"http://127.0.0.1:9000/v1": false, "http://10.1.2.3/v1": false, "http://vllm:8000/v1": false,
		"http://[fd00::1]/v1": false, "http://llm.internal/v1": false, "https://api.example.com/v1": false,
		"http://api.example.com/v1": true, "http://8.8.8.8/v1": true,
	} {
		c := mustLoad(t, "providers: [{name: x, kind: openai, base_url: '"+url+"'}]\n"+
			"models: [{id: m, provider: x, tier: simple, input_usd_per_mtok: 0, output_usd_per_mtok: 0}]\n")
		if got := len(c.Warnings) > 0; got != warned {
			t.Errorf("%s: warnings %q", url, c.Warnings)
		}
	}
}

// A setting that does nothing yet is named, so that nobody relies on it.
func TestIdleSettingsAreNoted(t *testing.T) {
	t.Parallel()
	text := "providers: [{name: ollama, headers: {X-Team: a}}, {name: vllm, headers: {X-Team: b}}, {name: s, kind: simulated, queue: 3}]\n" +
		"models: [{id: m, provider: s, upstream: small, tier: simple, input_usd_per_mtok: 1, output_usd_per_mtok: 1}]\n" +
		"retention: {prompts: none}\n"
	read := func(string) ([]byte, error) { return []byte(text), nil }
	env := func(name string) (string, bool) { return "busu.yaml", name == "BUSU_CONFIG" }
	c, err := load(All, env, read)
	if err != nil {
		t.Fatal(err)
	}
	const want = "no effect in this build yet: retention.prompts"
	if !slices.Contains(c.Notes, want) {
		t.Errorf("the notes are %q, without %q", c.Notes, want)
	}
}
