package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	adminSecret = "admins-own-secret-0123456789"
	vendorsOwn  = "vendors-own-words-0815"
)

// keyOf is how a vendor got its key, whatever its kind.
func keyOf(h http.Header) string {
	return h.Get("Authorization") + h.Get("x-api-key") + h.Get("x-goog-api-key")
}

// leaky are vendors that send callers elsewhere, or quote what they were sent.
func leaky(thief string) map[string]script {
	redirects := func(status int) script {
		return func(w http.ResponseWriter, r *http.Request, _ call) {
			http.Redirect(w, r, thief+"/v1/stolen", status)
		}
	}
	quotes := func(status int) script {
		return func(w http.ResponseWriter, r *http.Request, c call) {
			refuses(status, vendorsOwn+": bad key "+keyOf(r.Header))(w, r, c)
		}
	}
	return map[string]script{
		"moved": redirects(301), "found": redirects(302), "see": redirects(303), "kept": redirects(307), "gone": redirects(308),
		"quoting": quotes(401), "blaming": quotes(400), "limiting": quotes(429), "failing": quotes(500),
		"nonsense": func(w http.ResponseWriter, r *http.Request, _ call) { reply200(w, vendorsOwn+" "+keyOf(r.Header)) },
		"breaking": begins(3, breaking, few, func(w http.ResponseWriter, r *http.Request, _ call) {
			send(w, fmt.Sprintf("event: error\ndata: {\"type\": \"error\", \"error\": {\"message\": %q}}\n\n", vendorsOwn+keyOf(r.Header)))
		}),
		"well": says("All is well.", few),
	}
}

// Complaint: a caller can have the key sent to a host of his own, and the key
// or a vendor's words come out in answers and logs.
func TestComplaintKeysLeak(t *testing.T) {
	t.Parallel()
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		t.Errorf("somebody else was sent %s %v %s", r.URL, r.Header, body)
	}))
	t.Cleanup(thief.Close)
	scripts := map[string]script{}
	var providers, models strings.Builder
	for name, does := range leaky(thief.URL) {
		for kind, base := range map[string]string{"openai": "VENDOR/v1", "anthropic": "VENDOR", "gemini": "VENDOR/v1beta"} {
			id := name + "-" + kind
			scripts[id] = does
			fmt.Fprintf(&providers, "  - {name: %s, kind: %s, base_url: %q, api_key_env: ACME_API_KEY, retries: 0}\n", id, kind, base)
			fmt.Fprintf(&models, "  - {id: %s, provider: %s, tier: simple, input_usd_per_mtok: 1, output_usd_per_mtok: 10}\n", id, id)
		}
	}
	v := newVendor(t, scripts)
	h := newHouse(t, v, "providers:\n"+providers.String()+"models:\n"+models.String(), "BUSU_ADMIN_KEY="+adminSecret, "BUSU_LOG_LEVEL=debug")
	shows := func(what string, r reply) {
		all := fmt.Sprint(r.header, r.body)
		// why a vendor rejects a request is for its client to mend, and said on /v1
		mends := strings.HasPrefix(what, "blaming-") && strings.Contains(what, "/v1/") && r.status == http.StatusBadRequest
		if strings.Contains(all, secretOf) || strings.Contains(all, adminSecret) || strings.Contains(all, thief.URL) || strings.Contains(all, vendorsOwn) && !mends {
			t.Errorf("%s: the caller is shown %s", what, all)
		}
	}
	for id := range scripts {
		for _, path := range []string{"/complete", "/v1/chat/completions", "/v1/messages"} {
			for _, stream := range []bool{false, true} {
				r := h.send(path, question(path, id, "Hello?", "ada", stream), "Authorization", "Bearer "+adminSecret)
				shows(id+path, r)
				if wantsGood := strings.HasPrefix(id, "well-"); wantsGood != strings.Contains(r.body, "well.") && !strings.Contains(r.body, "not served by this endpoint") {
					t.Errorf("%s by %s: %d %s", id, path, r.status, r.body)
				}
			}
		}
	}
	h.lures(thief.URL, shows)
	for id := range scripts {
		calls := v.got(id)
		if len(calls) == 0 {
			t.Errorf("%s was never asked", id)
		}
		for _, c := range calls {
			sent := fmt.Sprint(c.path, c.header, c.body)
			if strings.Count(sent, secretOf) != 1 || !strings.Contains(keyOf(c.header), secretOf) || strings.Contains(sent, adminSecret) {
				t.Errorf("%s was sent %s", id, sent)
			}
		}
	}
	if said := h.stdout.String() + h.stderr.String(); strings.Contains(said, secretOf) || strings.Contains(said, adminSecret) {
		t.Error("a key is in the log")
	}
}

// lures sends what might move another gateway to ask at a caller's address.
func (h *house) lures(thief string, shows func(string, reply)) {
	h.t.Helper()
	const chat, well = "/v1/chat/completions", "well-openai"
	for _, name := range []string{"base_url", "api_base", "baseURL", "api_key", "host", "endpoint", "url", "proxy", "extra_headers", "custom_llm_provider", "litellm_params"} {
		for _, value := range []string{fmt.Sprintf("%q", thief+"/v1"), fmt.Sprintf(`{"base_url": %q, "api_base": %q, "Authorization": "x"}`, thief, thief)} {
			body := question(chat, well, "Hello?", "ada", false)
			shows(name, h.send(chat, strings.Replace(body, "{", fmt.Sprintf(`{%q: %s, `, name, value), 1), "Authorization", "Bearer "+adminSecret))
			r := h.send("/complete", fmt.Sprintf(`{"prompt": "Hello?", "model": %q, %q: %s}`, well, name, value), "Authorization", "Bearer "+adminSecret)
			shows(name, r)
			if r.status != http.StatusUnprocessableEntity {
				h.t.Errorf("the field %s is taken: %d %s", name, r.status, r.body)
			}
		}
	}
	for _, name := range []string{"X-Base-Url", "X-Api-Base", "X-Forwarded-Host", "X-Original-Url", "X-Rewrite-Url", "Forwarded", "X-Portkey-Custom-Host", "Helicone-Target-Url", "X-Busu-Base-Url", "x-goog-api-key", "OpenAI-Organization", "Proxy"} {
		r := h.send(chat, question(chat, well, "Hello?", "ada", false), "Authorization", "Bearer "+adminSecret, name, thief)
		if shows(name, r); r.status != http.StatusOK {
			h.t.Errorf("with the header %s: %d %s", name, r.status, r.body)
		}
	}
	for _, model := range []string{thief + "/v1", "well-openai@" + thief, "../../stolen", "openai/" + thief} {
		r := h.send(chat, question(chat, model, "Hello?", "ada", false), "Authorization", "Bearer "+adminSecret)
		if r.status != http.StatusNotFound {
			h.t.Errorf("the model %s is found: %d %s", model, r.status, r.body)
		}
	}
}
