package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/doctor"
)

func TestPrintVerdicts(t *testing.T) {
	t.Parallel()
	verdicts := []doctor.Verdict{{Check: "disk", State: doctor.OK, Seen: "room"}, {Check: "postgres.fsync", State: doctor.Fail, Seen: "o\nff\x1b[31m", Do: "switch it on"}}
	var out strings.Builder
	if err := printVerdicts(&out, verdicts); err != nil {
		t.Fatal(err)
	}
	const want = "ok    disk            room\nfail  postgres.fsync  o ff [31m → switch it on\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	if got := summary(verdicts); got != "1 ok, 0 to look at, 1 failing" {
		t.Error(got)
	}
	if left := unwell(verdicts); len(left) != 1 || left[0].Check != "postgres.fsync" {
		t.Errorf("%+v", left)
	}
}

// TestProbe: providers are asked for their models, each with its key in its own
// way, at no other address, and no key is in what is told of it.
func TestProbe(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked elsewhere with %v", r.Header) }))
	t.Cleanup(elsewhere.Close)
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch key := r.Header.Get("Authorization") + r.Header.Get("X-Api-Key") + r.Header.Get("X-Goog-Api-Key"); {
		case r.URL.Path == "/away/models":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		case !strings.HasSuffix(r.URL.Path, "/models") || !strings.HasSuffix(key, "sk-good"):
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasPrefix(r.URL.Path, "/v1/") && r.Header.Get("Anthropic-Version") == "":
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(vendor.Close)
	for _, kind := range []string{config.KindOpenAI, config.KindAnthropic, config.KindGemini} {
		for key, want := range map[string]int{"sk-good": 200, "sk-bad": 401} {
			c, err := config.Load(config.All, func(name string) (string, bool) {
				v, ok := map[string]string{"BUSU_CONFIG": "busu.yaml", "ACME_KEY": key}[name]
				return v, ok
			}, func(string) ([]byte, error) {
				return []byte("providers: [{name: acme, kind: " + kind + ", base_url: '" + vendor.URL + "', api_key_env: ACME_KEY}]\nmodels: [{id: m, provider: acme, tier: simple, input_usd_per_mtok: 1, output_usd_per_mtok: 1}, {id: n, provider: acme, tier: complex, input_usd_per_mtok: 1, output_usd_per_mtok: 1}]\n"), nil
			}, time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
			if err != nil {
				t.Fatal(err)
			}
			if got := providerFacts(t.Context(), c, true); len(got) != 1 || got[0].Probe == nil || got[0].Probe.Status != want || got[0].KeyEnv != "ACME_KEY" {
				t.Errorf("%s with %s: %+v", kind, key, got[0].Probe)
			}
			if got := providerFacts(t.Context(), c, false); got[0].Probe != nil {
				t.Errorf("%s was asked unbidden", kind)
			}
		}
	}
	if p := probeOf(t.Context(), config.Provider{Kind: config.KindOpenAI, BaseURL: vendor.URL + "/away"}); p.Status != http.StatusFound {
		t.Errorf("a redirect: %+v", p)
	}
	if p := probeOf(t.Context(), config.Provider{Kind: config.KindOpenAI, BaseURL: "http://127.0.0.1:1"}); p.Status != 0 || !strings.Contains(p.Err, "refused") {
		t.Errorf("nobody there: %+v", p)
	}
}
