package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// askWith sends a request and gives the whole answer. Headers come in pairs.
func (f *fleet) askWith(api int, path, body string) (*http.Response, string) {
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.apis[api].Load().base+path, strings.NewReader(body))
	if err != nil {
		f.t.Error(err)
		return nil, ""
	}
	r.Header.Set("Authorization", "Bearer "+f.key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, ""
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer, string(text)
}

// burst asks everywhere at once for a while, and counts what is answered.
func (f *fleet) burst(apis []int, lasts time.Duration) (answered int64, took time.Duration) {
	var n atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for i := range 12 {
		all.Go(func() {
			for time.Since(began) < lasts {
				switch status, after := f.ask(apis[i%len(apis)], "What is a gateway?"); status {
				case http.StatusOK:
					n.Add(1)
				case http.StatusTooManyRequests:
					if after < time.Second {
						f.t.Errorf("a refusal says to come again after %s", after)
					}
					time.Sleep(20 * time.Millisecond)
				case 0: // the process is being killed
				default:
					f.t.Errorf("an answer is %d", status)
				}
			}
		})
	}
	all.Wait()
	return n.Load(), time.Since(began)
}

// Two processes share a key's limit: together they let through what it allows,
// and no more; so does the one that is left when the other is killed, and both
// while Redis is away.
func TestLimitsHold(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2, quick)
	var made struct{ ID, Key string }
	f.apis[0].Load().post("/keys", `{"name": "k", "role": "complete", "project": "default", "requests_per_minute": 240}`, http.StatusCreated, &made)
	f.key = made.Key
	f.apis[1].Load().until("the key is known", func() bool {
		r, _ := f.askWith(1, "/recommendation", `{"prompt": "a"}`)
		return r != nil && r.StatusCode == http.StatusOK
	})

	first, body := f.askWith(0, "/complete", `{"prompt": "a", "cache": "bypass"}`)
	if h := first.Header; first.StatusCode != http.StatusOK || h.Get("x-ratelimit-limit-requests") != "240" || h.Get("x-ratelimit-remaining-requests") != "239" ||
		h.Get("x-ratelimit-reset-requests") != "250ms" || h.Get("x-ratelimit-limit-tokens") != "" {
		t.Fatalf("the first answer is %d %s %v", first.StatusCode, body, h)
	}
	check := func(what string, answered int64, least, most float64) {
		t.Helper()
		t.Logf("%s: %d are answered, of %.0f to %.0f", what, answered, least, most)
		if float64(answered) < least || float64(answered) > most {
			t.Errorf("%s: %d are answered, not %.0f to %.0f", what, answered, least, most)
		}
	}
	answered, took := f.burst([]int{0, 1}, 6*time.Second)
	check("both", answered, 240*.8, 240*17/16.+4*took.Seconds()+2)
	answered, took = f.burst([]int{0, 1}, 5*time.Second)
	check("both, later", answered, 4*took.Seconds()*.5, 4*took.Seconds()+240/8)

	f.redis.Kill(t)
	answered, took = f.burst([]int{0, 1}, 5*time.Second)
	check("without Redis", answered, 4*took.Seconds()*.6, 4*took.Seconds()+240/8)
	f.redis.Restart(t)

	if err := f.apis[0].Load().cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-f.apis[0].Load().ended
	f.burst([]int{1}, 5*time.Second)
	answered, took = f.burst([]int{1}, 5*time.Second)
	check("the one that is left", answered, 4*took.Seconds()*.7, 4*took.Seconds()+240/8)

	refused, body := f.askWith(1, "/v1/chat/completions", `{"model": "auto", "messages": [{"role": "user", "content": "a"}]}`)
	for range 50 {
		if refused.StatusCode == http.StatusTooManyRequests {
			break
		}
		refused, body = f.askWith(1, "/v1/chat/completions", `{"model": "auto", "messages": [{"role": "user", "content": "a"}]}`)
	}
	if refused.StatusCode != http.StatusTooManyRequests || !strings.Contains(body, `"type":"rate_limit_error"`) || !strings.Contains(body, `"code":"rate_limit_exceeded"`) {
		t.Errorf("a refusal is %d %s", refused.StatusCode, body)
	}
}

// Tokens are given back that were not used, in every way that a request ends:
// what is left is what the answers say that they used.
func TestTokensAreSettled(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1, quick)
	var made struct{ ID, Key string }
	f.apis[0].Load().post("/keys", `{"name": "k", "role": "complete", "project": "default", "tokens_per_minute": 60000}`, http.StatusCreated, &made)
	f.key = made.Key
	began := time.Now()
	for i := range 40 { // as much as is reserved for each would not do for all
		r, body := f.askWith(0, "/complete", fmt.Sprintf(`{"prompt": "Why %d?", "max_tokens": 5000, "stream": %v}`, i/2, i%4 > 1))
		if r.StatusCode != http.StatusOK {
			t.Fatalf("answer %d is %d %s", i, r.StatusCode, body)
		}
	}
	r, _ := f.askWith(0, "/complete", `{"prompt": "Why?", "max_tokens": 5000}`)
	left, err := strconv.Atoi(r.Header.Get("x-ratelimit-remaining-tokens"))
	if err != nil || left < 60_000-5_010-40*1000 || left > 60_000-5_000 {
		t.Errorf("%s are left", r.Header.Get("x-ratelimit-remaining-tokens"))
	}
	t.Logf("%d tokens are left after %s", left, time.Since(began))
}
