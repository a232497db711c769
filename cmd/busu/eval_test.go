package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/app"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/forecast"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/prompt"
	"github.com/busuhq/busu/internal/replay"
	"github.com/busuhq/busu/internal/routing"
	"github.com/busuhq/busu/internal/trafficlog"
)

// decisionsOf are n logged ones: a coin chose, and the large model is better.
func decisionsOf(n int) string {
	var b strings.Builder
	for i := range n {
		model, cost, quality := "gpt-6-luna", 1000, i/2%2
		if i%2 == 0 {
			model, cost, quality = "gpt-6.2-sol", 90000, 1
		}
		fmt.Fprintf(&b, `{"id":"%d","user_id":"u%d","strategy":"hybrid","planned_model":%q,"propensity":0.5,"complexity":0.2,"baseline_model":"gpt-6.2-sol","model":%q,`+
			`"candidates":[{"model":"gpt-6-luna","quality":0.6,"prior":0.5,"cost_nanos":2000,"probability":0.5},{"model":"gpt-6.2-sol","quality":0.%d,"prior":0.9,"cost_nanos":80000,"probability":0.5}],`+
			`"status":"ok","cache":"miss","tokens_in":100,"tokens_out":50,"cost_nanos":%d,"quality":%d}`+"\n", i, i%60, model, model, 50+i*7%50, cost, quality)
	}
	return b.String()
}

func callsOf(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"request":{"model":"gpt-6.2-sol","messages":[{"role":"user","content":"What is %d + 1?"}]},"response":{"created":%d,"usage":{"prompt_tokens":100,"completion_tokens":50}}}`+"\n", i, 1790000000+i*3600)
	}
	return b.String()
}

const outcomes = `{"id":"%d","dataset":"d","domain":"d","prompt":"What is %d?","outcomes":{"a":{"quality":%d,"cost":0.01},"b":{"quality":%d,"cost":0.001}}}` + "\n"

// TestEvalExits holds the exit codes: 0 for what was done, 1 for what cannot
// be told, 2 for what was asked the wrong way.
func TestEvalExits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		write(t, path, text)
		return path
	}
	var rows strings.Builder
	for i := range 60 {
		fmt.Fprintf(&rows, outcomes, i, i, 1, i%2)
	}
	many, few, calls, data := file("many", decisionsOf(800)), file("few", decisionsOf(20)), file("calls", callsOf(30)), file("rows", rows.String())
	broken, svg := file("broken", `{"id":"x","propensity":0.5,"candidates":[{}]}`), filepath.Join(dir, "plot.svg")
	seen, words := new(prompt.Reader).Read("What is the capital of France?")
	features := base64.StdEncoding.EncodeToString(prompt.Append(nil, &seen, words))
	featured := file("featured", strings.ReplaceAll(decisionsOf(800), `"status":"ok"`, `"status":"ok","features":"`+features+`"`))
	model := file("model", string(learning.New(nil, learning.Assumed()).Encode()))
	for _, c := range []struct {
		args string
		exit int
	}{
		{"policy --log " + featured + " --strategy hybrid --lambda 1 --snapshot " + model, app.ExitOK},
		{"policy --log " + featured + " --strategy learning --strong-share 0.5 --snapshot " + model, app.ExitOK},
		{"policy --log " + many + " --strategy hybrid --lambda 1 --snapshot " + model, app.ExitFailed},
		{"policy --log " + featured + " --strategy hybrid --lambda 1 --snapshot " + many, app.ExitFailed},
		{"policy --log " + featured + " --lambda 1 --snapshot " + model, app.ExitUsage},
		{"policy --log " + many + " --strong-share 0.5", app.ExitOK},
		{"policy --log " + many + " --quality-target 0.9 --models gpt-6-luna,gpt-6.2-sol --json", app.ExitOK},
		{"policy --log " + many + " --strategy prior --lambda 100", app.ExitOK},
		{"policy --log " + many + " --strategy complexity", app.ExitOK},
		{"policy --log " + many + " --strategy hybrid --lambda 1", app.ExitUsage},
		{"policy --log " + many, app.ExitUsage},
		{"policy --strong-share 0.5", app.ExitUsage},
		{"policy --log " + few + " --strong-share 0.5", app.ExitFailed},
		{"policy --log " + broken + " --strong-share 0.5", app.ExitFailed},
		{"policy --log " + many + " --logged-by learning --strong-share 0.5", app.ExitFailed},
		{"policy --log " + filepath.Join(dir, "none") + " --strong-share 0.5", app.ExitFailed},
		{"savings --log " + calls + " --models gpt-6-luna,gpt-6.2-sol", app.ExitOK},
		{"savings --log " + calls + " --models gpt-6-luna,gpt-6.2-sol --days 2 --json", app.ExitOK},
		{"savings --log " + calls + " --models gpt-6-luna", app.ExitUsage},
		{"savings --log " + calls + " --models gpt-6-luna,unheard-of", app.ExitFailed},
		{"savings --log " + calls + " --models gpt-6-luna,gpt-6.2-sol --baseline gpt-6-sol", app.ExitFailed},
		{"savings --log " + many + " --models gpt-6-luna,gpt-6.2-sol", app.ExitFailed},
		{"plot --data " + data + " --folds 2 --seeds 1 --out " + svg, app.ExitOK},
		{"plot --data " + data + " --out " + svg, app.ExitUsage},
		{"import-routellm " + dir + " --out " + dir, app.ExitFailed},
	} {
		if exit := run(append([]string{"eval"}, strings.Fields(c.args)...)); exit != c.exit {
			t.Errorf("busu eval %s exits with %d, want %d", c.args, exit, c.exit)
		}
	}
	if drawn, err := os.ReadFile(svg); err != nil || !bytes.Contains(drawn, []byte("always a")) {
		t.Errorf("the drawing is %.80s (%v)", drawn, err)
	}
}

// TestPrintPolicy shows every policy, and what cannot be told of one.
func TestPrintPolicy(t *testing.T) {
	t.Parallel()
	log, err := replay.ReadLog(strings.NewReader(decisionsOf(800)), "")
	if err != nil {
		t.Fatal(err)
	}
	lambda := 1000.0
	report, err := replay.EvaluatePolicy(log, replay.Target{Strategy: replay.Logged, Lambda: &lambda}, replay.PolicyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	report.Fixed.Baseline = replay.Means{Refused: "nobody knows. Needed: more"}
	var out bytes.Buffer
	if err := printPolicy(&out, report); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"as it was", "logged, λ = 1000 (doubly robust)", "self-normalised", "inverse propensity", "always the cheapest",
		"800 decisions are worth", "over 60 users", "Always the baseline cannot be told: nobody knows. Needed: more"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

// TestPrintForecast gives months where days are known, and says what is
// missing where they are not.
func TestPrintForecast(t *testing.T) {
	t.Parallel()
	for days, want := range map[float64][]string{
		2: {"USD A MONTH", "hybrid, cold", "always the baseline", "would have saved", "30 calls at the prices of the table v1", "less than a week"},
		0: {"USD IN ALL", "complexity", "--days N"},
	} {
		f := forecaster(t, "gpt-6-luna", "gpt-6.2-sol")
		err := trafficlog.Read(strings.NewReader(callsOf(30)), func(_ int, c trafficlog.Call, _ *trafficlog.UnusableError) error {
			if days == 0 {
				c.At = time.Time{}
			}
			return f.Add(&c)
		})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := printForecast(&out, f.Report(days), "v1"); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%v days: %q is not in\n%s", days, w, out.String())
			}
		}
	}
}

func fromEnvironment(t *testing.T) config.Config {
	t.Helper()
	cfg, err := config.FromEnvironment(config.All)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func forecaster(t *testing.T, models ...string) *forecast.Forecast {
	t.Helper()
	f, err := evalSavingsCommand{Models: models, QualityTarget: 0.95}.forecast(fromEnvironment(t), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestServedModels finds models by the names that logs have for them.
func TestServedModels(t *testing.T) {
	t.Parallel()
	served := servedModels{cfg: fromEnvironment(t), now: time.Now(), seen: map[string]*routing.Candidate{}}
	for name, want := range map[string]string{"gpt-6-luna": "gpt-6-luna", "openai/gpt-6-luna": "gpt-6-luna", "openrouter/openai/gpt-6-luna": "openai/gpt-6-luna", "gpt-6-luna-2026-09-22": "gpt-6-luna",
		"azure/eu/gpt-6-luna-20260922": "gpt-6-luna", "gpt-4o": "gpt-4o", "unheard-of": "", "": "", "gpt-6-luna-mini": "", "text-embedding-3-small": ""} {
		for range 2 { // and again, from what is remembered
			c, ok := served.of(&trafficlog.Call{Model: name})
			if ok != (want != "") || ok && c.Model.Upstream != want {
				t.Errorf("%s is found as %q (%v), want %q", name, c.Model.Upstream, ok, want)
			}
		}
	}
	if c, ok := served.of(&trafficlog.Call{Model: "my-deployment", Served: "gpt-6-luna"}); !ok || c.Model.Upstream != "gpt-6-luna" {
		t.Errorf("what the answer calls itself is not looked at: %+v", c)
	}
}

// TestCatalog has a price file go before what is known.
func TestCatalog(t *testing.T) {
	t.Parallel()
	prices := filepath.Join(t.TempDir(), "prices.yaml")
	write(t, prices, "version: mine\nprices:\n  - {provider: openai, model: gpt-6-luna, tier: simple, input_usd_per_mtok: 7, cached_input_usd_per_mtok: 1, output_usd_per_mtok: 9,\n"+
		"     context_tokens: 9, effective_from: 2026-01-01, source: https://example.com, read: 2026-01-01}\n"+
		"  - {provider: ours, model: brand-new, tier: complex, input_usd_per_mtok: 1, cached_input_usd_per_mtok: 1, output_usd_per_mtok: 1,\n"+
		"     context_tokens: 9, effective_from: 2026-01-01, source: https://example.com, read: 2026-01-01}\n")
	cfg := fromEnvironment(t)
	described, err := catalogOf(cfg, prices, []string{"gpt-6-luna", "brand-new", "gpt-6.2-sol"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if p := described["gpt-6-luna"].Price.Input.String(); p != "7" || described["brand-new"].Model.Tier != "complex" || described["gpt-6.2-sol"].Price.Output == 0 {
		t.Errorf("%+v", described)
	}
	if _, err := catalogOf(cfg, "", []string{"brand-new"}, time.Now()); err == nil || !strings.Contains(err.Error(), "brand-new") {
		t.Errorf("a model that nobody knows is described: %v", err)
	}
	if _, err := catalogOf(cfg, filepath.Join(t.TempDir(), "none"), nil, time.Now()); err == nil {
		t.Error("a price file that is not there is read")
	}
}
