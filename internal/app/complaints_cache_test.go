package app_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/busuhq/busu/internal/storetest"
)

// cached is one model for each way to fail, so that no breaker mixes them up.
func cached(models ...string) string {
	var providers, lines strings.Builder
	for _, m := range models {
		fmt.Fprintf(&providers, "  - {name: %s, kind: openai, base_url: \"VENDOR/v1\", api_key_env: ACME_API_KEY, retries: 0}\n", m)
		fmt.Fprintf(&lines, "  - {id: %s, provider: %s, tier: simple, input_usd_per_mtok: 1, output_usd_per_mtok: 10}\n", m, m)
	}
	return "providers:\n" + providers.String() + "models:\n" + lines.String()
}

var few = usage{in: 10, out: 5}

// Complaint: a 429 is cached. No failure is given again, nor half an answer.
func TestComplaintFailureFromTheCache(t *testing.T) {
	t.Parallel()
	good := says("A good answer.", few)
	raw := func(body string) script {
		return func(w http.ResponseWriter, _ *http.Request, _ call) { reply200(w, body) }
	}
	failures := map[string]script{
		"limited":   refuses(http.StatusTooManyRequests, "slow down"),
		"broken":    refuses(http.StatusInternalServerError, "oops"),
		"rejected":  refuses(http.StatusBadRequest, "too salty"),
		"forbidden": refuses(http.StatusUnauthorized, "who are you"),
		"lying":     raw(`{"error": {"message": "rate limited, with status 200", "code": 429}}`),
		"garbled":   raw(`<html>`),
		"mute":      raw(`{"choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 10, "completion_tokens": 0}}`),
		"cut":       raw(`{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Half an"}, "finish_reason": "length"}], "usage": {"prompt_tokens": 10, "completion_tokens": 5}}`),
		"filtered":  raw(`{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Half an"}, "finish_reason": "content_filter"}], "usage": {"prompt_tokens": 10, "completion_tokens": 5}}`),
		"dying":     dies,
	}
	scripts, models := map[string]script{}, []string{}
	for model, fails := range failures {
		// the whole answer fails, then the streamed one, then all is well
		scripts[model] = first(2, begins(0, "", usage{}, fails), good)
		models = append(models, model)
	}
	scripts["halfway"] = first(2, begins(2, "Half an answer.", usage{}, dies), good)
	h := newHouse(t, newVendor(t, scripts), cached(append(models, "halfway")...))
	for model := range scripts {
		for _, stream := range []bool{false, true} {
			if r := h.send("/complete", question("/complete", model, "The same.", model, stream)); strings.Contains(r.body, "good answer") {
				t.Errorf("%s: the vendor failed, and the caller got %s", model, r.body)
			}
		}
		for _, stream := range []bool{false, true} {
			r := h.send("/complete", question("/complete", model, "The same.", model, stream))
			if r.status != http.StatusOK || !strings.Contains(r.body, "good answer") && !strings.Contains(r.body, `{"text":"good "}`) {
				t.Errorf("%s: when the vendor was well again, the caller got %d %s", model, r.status, r.body)
			}
			if hit := r.header.Get("X-Busu-Cache") == "memory"; hit != stream {
				t.Errorf("%s: a good answer that was asked for before comes from %q", model, r.header.Get("X-Busu-Cache"))
			}
		}
	}
}

// An Idempotency-Key, too, gives only answers again.
func TestComplaintFailureFromAnIdempotencyKey(t *testing.T) {
	t.Parallel()
	fails := func(w http.ResponseWriter, r *http.Request, c call) {
		if c.stream { // which has begun
			errorFrame(w, r, c)
			return
		}
		refuses(http.StatusTooManyRequests, "slow down")(w, r, c)
	}
	v := newVendor(t, map[string]script{"limited": first(2, begins(2, "Half an answer.", usage{}, fails), says("A good answer.", few))})
	h := newHouse(t, v, cached("limited"))
	for i, want := range []string{"", "", "good", "good"} {
		stream := i%2 == 0
		r := h.send("/v1/chat/completions", question("/v1/chat/completions", "limited", "The same.", "ada", stream), "Idempotency-Key", fmt.Sprint("key of ", stream))
		if strings.Contains(r.body, "good") != (want != "") {
			t.Errorf("try %d got %d %s", i, r.status, r.body)
		}
	}
}

// Complaint: a hit does not look at the system prompt, at max_tokens, or at
// what else was asked.
func TestComplaintHitForAnotherQuestion(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request, c call) {
		says(fmt.Sprintf("%x", sha256.Sum256([]byte(c.body))), few)(w, r, c)
	}
	h := newHouse(t, newVendor(t, map[string]script{"one": echo, "two": echo}), cached("one", "two"))
	const base = `{"model": "one", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}], "max_tokens": 100, "temperature": 0}`
	const path = "/v1/chat/completions"
	first := h.send(path, base)
	for _, same := range []string{base, // and as another client writes it
		`{ "temperature":0.0,"max_tokens":100, "messages":[{"content":"Be brief.","role":"system"},{"content":"Why\u003f","role":"user"}],"model":"one"}`} {
		if r := h.send(path, same); r.header.Get("X-Busu-Cache") != "memory" || textOf(r.body) != textOf(first.body) {
			t.Errorf("the same question was asked again: %v %s", r.header, r.body)
		}
	}
	change := func(from, to string) string {
		if !strings.Contains(base, from) {
			t.Fatalf("%s is not in the question", from)
		}
		return strings.Replace(base, from, to, 1)
	}
	with := func(more string) string { return change(`"temperature": 0}`, `"temperature": 0, `+more+`}`) }
	seen := map[string]string{textOf(first.body): "the first"}
	for name, body := range map[string]string{
		"system prompt":   change("Be brief.", "Be long."),
		"no system":       change(`{"role": "system", "content": "Be brief."}, `, ""),
		"developer":       change(`"system"`, `"developer"`),
		"case":            change("Why?", "why?"),
		"max_tokens":      change(`"max_tokens": 100`, `"max_tokens": 101`),
		"no max_tokens":   change(`"max_tokens": 100, `, ""),
		"model":           change(`"one"`, `"two"`),
		"temperature":     change(`"temperature": 0`, `"temperature": 0.1`),
		"top_p":           with(`"top_p": 0.5`),
		"seed":            with(`"seed": 1`),
		"other seed":      with(`"seed": 2`),
		"stop":            with(`"stop": ["x"]`),
		"n":               with(`"n": 2`),
		"tools":           with(`"tools": [{"type": "function", "function": {"name": "look"}}]`),
		"other tools":     with(`"tools": [{"type": "function", "function": {"name": "see"}}]`),
		"tool_choice":     with(`"tools": [{"type": "function", "function": {"name": "look"}}], "tool_choice": "none"`),
		"response_format": with(`"response_format": {"type": "text"}`),
		"json":            with(`"response_format": {"type": "json_object"}`),
		"effort":          with(`"reasoning_effort": "high"`),
		"unknown field":   with(`"colour": "blue"`),
		"another value":   with(`"colour": "red"`),
		"image":           change(`"content": "Why?"`, `"content": [{"type": "text", "text": "Why?"}, {"type": "image_url", "image_url": {"url": "https://a.test/1.png"}}]`),
		"other image":     change(`"content": "Why?"`, `"content": [{"type": "text", "text": "Why?"}, {"type": "image_url", "image_url": {"url": "https://a.test/2.png"}}]`),
		"history":         change(`{"role": "user"`, `{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi."}, {"role": "user"`),
		"name":            change(`{"role": "user"`, `{"role": "user", "name": "ada"`),
	} {
		r := h.send(path, body, "X-Busu-Cache", "default")
		text := textOf(r.body)
		if r.status != http.StatusOK || r.header.Get("X-Busu-Cache") != "miss" {
			t.Errorf("%s: %d, from %q", name, r.status, r.header.Get("X-Busu-Cache"))
		}
		if other, taken := seen[text]; taken && name != "case" {
			t.Errorf("%s is answered as %s", name, other)
		}
		seen[text] = name
	}
	// busu's own endpoint has no body of a vendor's
	own := `{"model": "one", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}], "max_tokens": 100, "temperature": 0}`
	h.send("/complete", own)
	for _, change := range [][2]string{{"Be brief.", "Be long."}, {`"max_tokens": 100`, `"max_tokens": 101`}, {`"temperature": 0`, `"temperature": 1`}, {`"one"`, `"two"`}, {"Why?", "Who?"}} {
		if r := h.send("/complete", strings.Replace(own, change[0], change[1], 1)); r.status != http.StatusOK || r.header.Get("X-Busu-Cache") != "miss" {
			t.Errorf("%s instead of %s: %d, from %q", change[1], change[0], r.status, r.header.Get("X-Busu-Cache"))
		}
	}
}

// textOf is the answer within a whole one, which its cost and id differ around.
func textOf(body string) string {
	_, rest, _ := strings.Cut(body, `"content":`)
	parts := strings.SplitN(rest, `"`, 3)
	if len(parts) < 3 {
		return body
	}
	return parts[1]
}

// crowd is as many who ask the same at the same time.
const crowd = 1000

// Complaint: a thousand who ask the same at once make a thousand calls.
func TestComplaintStampede(t *testing.T) {
	t.Parallel()
	for _, reach := range []string{"process", "cluster"} {
		t.Run(reach, func(t *testing.T) {
			t.Parallel()
			stampede(t, reach)
		})
	}
}

func stampede(t *testing.T, reach string) {
	gates := map[bool]chan struct{}{false: make(chan struct{}), true: make(chan struct{})}
	answer := says("All get the same answer.", few)
	v := newVendor(t, map[string]script{"gpt": func(w http.ResponseWriter, r *http.Request, c call) {
		select {
		case <-gates[c.stream]:
			answer(w, r, c)
		case <-r.Context().Done():
		}
	}})
	configuration := cached("gpt") + "cache: {single_flight: " + reach + "}\n"
	houses := []*house{newHouse(t, v, configuration)}
	if reach == "cluster" {
		database, redis := storetest.Postgres(t), storetest.Redis(t)
		houses = []*house{newHouseOn(t, v, database, redis, configuration), newHouseOn(t, v, database, redis, configuration)}
	}
	var all sync.WaitGroup
	for round, stream := range []bool{false, true} {
		text := fmt.Sprint("The same, streamed: ", stream)
		before := len(v.got("gpt"))
		for i := range crowd {
			all.Go(func() {
				r := houses[i%len(houses)].send("/complete", question("/complete", "gpt", text, "ada", stream))
				if r.status != http.StatusOK {
					t.Errorf("status %d: %s", r.status, r.body)
				} else if problem := unlike(r.body, stream); problem != "" {
					t.Errorf("%s: %s", problem, r.body)
				}
			})
		}
		houses[0].until("all but those who ask wait for others", func() bool {
			waiting := 0.
			for _, h := range houses {
				waiting += h.metric(`busu_cache_hits_total{level="memory",match="in_flight"}`)
			}
			return waiting == float64((round+1)*(crowd-len(houses)))
		})
		close(gates[stream])
		all.Wait()
		if n := len(v.got("gpt")) - before; n != 1 {
			t.Errorf("streamed %t: %d asked the same at once, and %d calls were made", stream, crowd, n)
		}
	}
}

// unlike says what is wrong with an answer that all should have.
func unlike(body string, stream bool) string {
	if !strings.Contains(body, `"response":"All get the same answer."`) {
		return "no whole answer"
	}
	var streamed strings.Builder
	for line := range strings.Lines(body) {
		if _, text, ok := strings.Cut(line, `data: {"text":"`); ok {
			streamed.WriteString(strings.TrimSuffix(strings.TrimSpace(text), `"}`))
		}
	}
	if stream && streamed.String() != "All get the same answer." {
		return "the frames add up to " + streamed.String()
	}
	return ""
}
