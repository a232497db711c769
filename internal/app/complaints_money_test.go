package app_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/pricing"
)

// priced are models of all kinds at the same prices: in nano-dollars a token,
// 1000 in, 100 from the vendor's cache, 1250 into it, 10000 out.
const priced = `
providers:
  - {name: acme, kind: openai, base_url: "VENDOR/v1", api_key_env: ACME_API_KEY, retries: 0}
  - {name: claude, kind: anthropic, base_url: "VENDOR", api_key_env: ACME_API_KEY, retries: 0}
  - {name: google, kind: gemini, base_url: "VENDOR/v1beta", api_key_env: ACME_API_KEY, retries: 0}
models:
  - {id: gpt, provider: acme, tier: simple, input_usd_per_mtok: 1, cached_input_usd_per_mtok: 0.1, cache_write_usd_per_mtok: 1.25, output_usd_per_mtok: 10}
  - {id: silent, provider: acme, tier: simple, input_usd_per_mtok: 1, output_usd_per_mtok: 10}
  - {id: sonnet, provider: claude, tier: simple, input_usd_per_mtok: 1, cached_input_usd_per_mtok: 0.1, cache_write_usd_per_mtok: 1.25, output_usd_per_mtok: 10}
  - {id: flash, provider: google, tier: simple, input_usd_per_mtok: 1, cached_input_usd_per_mtok: 0.1, cache_write_usd_per_mtok: 1.25, output_usd_per_mtok: 10}
`

// ways are the endpoints that a model can be asked by.
func ways(model string) []string {
	if model == "sonnet" {
		return []string{"/complete", "/v1/chat/completions", "/v1/messages"}
	}
	return []string{"/complete", "/v1/chat/completions"}
}

// Complaint: zero tokens are recorded for streams.
func TestComplaintStreamsWithoutTokens(t *testing.T) {
	t.Parallel()
	const text = "Four words and more."
	counted := usage{in: 1000, out: 50}
	v := newVendor(t, map[string]script{"gpt": says(text, counted), "sonnet": says(text, counted), "flash": says(text, counted),
		"silent": says(text, usage{})})
	h := newHouse(t, v, priced)
	for _, model := range []string{"gpt", "sonnet", "flash", "silent"} {
		for _, path := range ways(model) {
			user := model + path
			if r := h.send(path, question(path, model, "Say something.", user, true)); r.status != http.StatusOK || !strings.Contains(r.body, "more.") {
				t.Errorf("%s by %s: %d %s", model, path, r.status, r.body)
			}
			got := h.row(user)
			if model == "silent" {
				if got.Status != "ok" || !got.Estimated || got.In < 3 || got.Out < 4 || got.Cost != 1000*got.In+10000*got.Out {
					t.Errorf("without a count of its vendor's, a stream by %s is recorded as %+v", path, got)
				}
				continue
			}
			if got.Status != "ok" || got.Estimated || got.In != 1000 || got.Out != 50 || got.Cost != 1_500_000 {
				t.Errorf("a stream of %s by %s is recorded as %+v", model, path, got)
			}
		}
	}
	for _, c := range v.got("gpt") {
		if !strings.Contains(c.body, `"include_usage":true`) {
			t.Errorf("the vendor was not asked for the usage: %s", c.body)
		}
	}
}

// Complaint: what was consumed before the client left is not recorded.
func TestComplaintSpendLostOnDisconnect(t *testing.T) {
	t.Parallel()
	endless := begins(3, "Once upon a time", usage{in: 1000, out: 50}, hangs)
	v := newVendor(t, map[string]script{"gpt": endless, "sonnet": endless, "flash": endless})
	h := newHouse(t, v, priced)
	left := map[string]int{}
	for _, model := range []string{"gpt", "sonnet", "flash"} {
		for _, path := range ways(model) {
			for _, stream := range []bool{true, false} {
				user := fmt.Sprint(model, path, stream)
				body := question(path, model, "Tell me a story without an end.", user, stream)
				if stream {
					h.leave(path, body, readUntil(t, "upon"))
				} else {
					h.leaveWhole(v, model, path, body, func() {})
				}
				got := h.row(user)
				if got.Status != "canceled" || got.Kind != "canceled" || got.Model != model || !got.Estimated ||
					got.In <= 0 || got.Out <= 0 || got.Cost != 1000*got.In+10000*got.Out {
					t.Errorf("%s: recorded %+v", user, got)
				}
				if stream && model == "sonnet" && got.In != 1000 {
					t.Errorf("%s: the vendor had told its 1000 tokens, recorded %+v", user, got)
				}
				left[model]++
				h.until("the vendor is left, too", func() bool { return v.leftBy(model) == left[model] })
			}
		}
	}
}

// readUntil reads an answer until a word of it has come.
func readUntil(t *testing.T, word string) func(*http.Response) {
	return func(r *http.Response) {
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			if strings.Contains(lines.Text(), word) {
				return
			}
		}
		t.Errorf("status %d, and %q did not come: %v", r.StatusCode, word, lines.Err())
	}
}

// leaveWhole asks for a whole answer, and leaves when the vendor is at it and
// something else is done.
func (h *house) leaveWhole(v *vendor, model, path, body string, do func()) {
	h.t.Helper()
	before := len(v.got(model))
	ctx, cancel := context.WithCancel(h.t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if r, err := h.open(ctx, path, body); err == nil {
			h.t.Errorf("there was an answer after all: %d", r.StatusCode)
			r.Body.Close()
		}
	}()
	h.until("the vendor is asked", func() bool { return len(v.got(model)) > before })
	do()
	cancel()
	<-gone
}

// One call for several is paid once, whoever of them leaves.
func TestComplaintSpendLostWhenTheFirstOfSeveralLeaves(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	v := newVendor(t, map[string]script{"gpt": func(w http.ResponseWriter, r *http.Request, c call) {
		select {
		case <-goOn:
			says("An answer.", usage{in: 1000, out: 50})(w, r, c)
		case <-r.Context().Done():
		}
	}})
	h := newHouse(t, v, priced)
	follower := make(chan reply, 1)
	h.leaveWhole(v, "gpt", "/complete", question("/complete", "gpt", "The same.", "leaves", false), func() {
		go func() { follower <- h.send("/complete", question("/complete", "gpt", "The same.", "stays", false)) }()
		h.until("the other waits for the same call", func() bool {
			return h.metric(`busu_cache_hits_total{level="memory",match="in_flight"}`) == 1
		})
	})
	close(goOn)
	if r := <-follower; r.status != http.StatusOK || !strings.Contains(r.body, "An answer.") {
		t.Errorf("%d %s", r.status, r.body)
	}
	leaves, stays := h.row("leaves"), h.row("stays")
	if n := len(v.got("gpt")); n != 1 || leaves.Cost != 1_500_000 || stays.Cost != 0 || stays.Origin != 1_500_000 || stays.Cache != "memory" {
		t.Errorf("%d calls; recorded %+v and %+v", n, leaves, stays)
	}
}

// Complaint: tokens that the vendor had cached are billed twice. OpenAI and
// Google count them within the prompt, Anthropic beside it.
func TestComplaintCachedTokensBilledTwice(t *testing.T) {
	t.Parallel()
	const text = "An answer."
	v := newVendor(t, map[string]script{
		"gpt":    says(text, usage{in: 1000, cached: 600, out: 50}),
		"sonnet": says(text, usage{in: 1000, cached: 600, written: 200, out: 50}),
		"flash":  says(text, usage{in: 1000, cached: 600, out: 50}),
	})
	h := newHouse(t, v, priced)
	want := map[string]row{ // nano-dollars: fresh × 1000 + cached × 100 + written × 1250 + out × 10000
		"gpt":    {In: 1000, Cached: 600, Out: 50, Cost: 400*1000 + 600*100 + 50*10000},
		"sonnet": {In: 1800, Cached: 600, Out: 50, Cost: 1000*1000 + 600*100 + 200*1250 + 50*10000},
		"flash":  {In: 1000, Cached: 600, Out: 50, Cost: 400*1000 + 600*100 + 50*10000},
	}
	for model, want := range want {
		for _, path := range ways(model) {
			for _, stream := range []bool{true, false} {
				user := fmt.Sprint(model, path, stream)
				answer := h.send(path, question(path, model, user, user, stream))
				got := h.row(user)
				if got.Status != "ok" || got.In != want.In || got.Cached != want.Cached || got.Out != want.Out || got.Cost != want.Cost || got.Estimated {
					t.Errorf("%s: recorded %+v, not %+v", user, got, want)
				}
				if told := pricing.Nanos(want.Cost).String(); !strings.Contains(answer.body, told) {
					t.Errorf("%s: the caller is not told %s: %s", user, told, answer.body)
				}
			}
		}
	}
	// the ledger's sum is what the dashboard shows
	h.agree(h.conn, int64(len(slices.Concat(ways("gpt"), ways("sonnet"), ways("flash")))*2))
}

// Complaint: a price list that cannot be read makes everything free.
func TestComplaintBrokenPricesMakeEverythingFree(t *testing.T) {
	t.Parallel()
	model := "providers: [{name: acme, kind: openai, base_url: \"http://127.0.0.1:1/v1\"}]\nmodels:\n  - {id: gpt, provider: acme, tier: simple%s}\n%s"
	for name, c := range map[string]struct{ price, more, says string }{
		"no number":      {`, input_usd_per_mtok: cheap, output_usd_per_mtok: 10`, "", "input_usd_per_mtok"},
		"negative":       {`, input_usd_per_mtok: -1, output_usd_per_mtok: 10`, "", "input_usd_per_mtok"},
		"empty":          {`, input_usd_per_mtok: , output_usd_per_mtok: 10`, "", "input_usd_per_mtok"},
		"half a price":   {`, input_usd_per_mtok: 1`, "", "no whole price"},
		"misspelt":       {`, input_usd_per_mtoks: 1, output_usd_per_mtok: 10`, "", "input_usd_per_mtok"},
		"no file":        {"", "prices: {file: missing.yaml}", "prices.file cannot be read"},
		"a broken file":  {"", "prices: {file: " + configFile(t, "version: x\nproviders: [") + "}", "is no price table"},
		"an empty file":  {"", "prices: {file: " + configFile(t, "") + "}", "is no price table"},
		"another file":   {"", "prices: {file: " + configFile(t, `{"gpt": {"input_cost_per_token": 1}}`) + "}", "is no price table"},
		"a page instead": {"", "prices: {file: " + configFile(t, "<html>not found</html>") + "}", "is no price table"},
	} {
		p := launch(t, nil, []string{"BUSU_ADDR=" + freeAddr(t), "BUSU_STATE_DIR=" + stateDir(t), "BUSU_LOG_LEVEL=error",
			"BUSU_CONFIG=" + configFile(t, fmt.Sprintf(model, c.price, c.more))}, "busu", "up")
		if code := p.end(); code != 1 || !strings.Contains(p.stderr.String(), c.says) {
			t.Errorf("%s: exit code %d, said %q", name, code, p.stderr.String())
		}
	}
}

// A model whose price nobody knows is counted apart, and never as free.
func TestComplaintUnknownPriceCountsAsFree(t *testing.T) {
	t.Parallel()
	answer := says("An answer.", usage{in: 1000, out: 50})
	v := newVendor(t, map[string]script{"gpt": answer, "unknown": answer})
	h := newHouse(t, v, strings.Replace(cached("gpt", "unknown"), "unknown, tier: simple, input_usd_per_mtok: 1, output_usd_per_mtok: 10", "unknown, tier: simple", 1))
	for _, path := range ways("gpt") {
		for _, stream := range []bool{false, true} {
			for _, model := range []string{"gpt", "unknown", "auto"} {
				user := fmt.Sprint(path, stream, model)
				body := strings.Replace(question(path, model, user, user, stream), `"model": "auto", "prompt"`, `"prompt"`, 1)
				if r := h.send(path, body); r.status != http.StatusOK {
					t.Errorf("%s: %d %s", user, r.status, r.body)
				}
				got := h.row(user)
				if model == "unknown" && (!got.Unpriced || got.In != 1000 || got.Out != 50) {
					t.Errorf("%s: recorded %+v", user, got)
				}
				if model != "unknown" && (got.Unpriced || got.Cost != 1_500_000 || got.Model != "gpt") { // who chooses does not take it to be cheap
					t.Errorf("%s: recorded %+v", user, got)
				}
			}
		}
	}
	h.agree(h.conn, 12)
	var report struct {
		Total    int64 `json:"total_requests"`
		Unpriced int64 `json:"unpriced_requests"`
	}
	if h.get("/routing/metrics?window=1h", &report); report.Total != 12 || report.Unpriced != 4 {
		t.Errorf("reported %+v", report)
	}
	if n := h.metric(`busu_unpriced_requests_total{model="unknown"}`); n != 4 {
		t.Errorf("%g requests are counted as unpriced", n)
	}
	if !strings.Contains(h.stderr.String(), "model unknown has no price") {
		t.Error("the start does not warn of it")
	}
}
