package httpapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/idempotency"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

const capital = `{"prompt": "What is the capital of France?", "user_id": "ada"}`

// repeating gives an API a store of answers, and the Redis behind it.
func repeating(t *testing.T) (choose func(*setup), plain *redis.Client) {
	t.Helper()
	url := storetest.Redis(t)
	db, err := redisdb.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	plain = redis.NewClient(o)
	t.Cleanup(func() { _, _ = db.Close(), plain.Close() })
	return func(s *setup) { s.repeats = redisdb.Idempotency{DB: db} }, plain
}

func TestRepeatedRequestIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	redis, _ := repeating(t)
	s := serve(t, redis)
	first := s.post(t, "/complete", capital, "Idempotency-Key: a").want(t, 200)
	again := s.post(t, "/complete", capital, "Idempotency-Key: a").want(t, 200)
	if !bytes.Equal(first.Body, again.Body) || first.Header.Get("X-Request-Id") != again.Header.Get("X-Request-Id") ||
		first.Header.Get("X-Busu-Cost-Usd") != again.Header.Get("X-Busu-Cost-Usd") || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("first %s %v, then %s %v", first.Body, first.Header, again.Body, again.Header)
	}
	if n := s.Provider.calls.Load(); n != 1 {
		t.Errorf("%d calls", n)
	}
	s.Ledger.only(t)
	s.post(t, "/complete", capital, "Idempotency-Key: b").want(t, 200)
	s.post(t, "/complete", capital).want(t, 200)
	if n := s.Provider.calls.Load(); n != 3 {
		t.Errorf("%d calls, another key and none are other requests", n)
	}
}

func TestKeyOfAnotherRequest(t *testing.T) {
	t.Parallel()
	redis, _ := repeating(t)
	s := serve(t, redis)
	s.post(t, "/complete", capital, "Idempotency-Key: a").want(t, 200)
	p := s.post(t, "/complete", strings.ToUpper(capital), "Idempotency-Key: a").want(t, 422).problem(t)
	if got := p.fields(); len(got) != 1 || got[0] != "Idempotency-Key" {
		t.Errorf("names %v", got)
	}
	s.post(t, "/complete", capital, "Idempotency-Key: "+strings.Repeat("k", 256)).want(t, 422)
}

func TestKeyInFlight(t *testing.T) {
	t.Parallel()
	redis, _ := repeating(t)
	sign := make(chan struct{})
	s := serve(t, redis, playing(&script{words: []string{"Paris."}, sign: sign}))
	done := make(chan reply)
	go func() { done <- s.post(t, "/complete", capital, "Idempotency-Key: a") }()
	within(t, "the first is under way", func() bool { return s.Provider.calls.Load() == 1 })
	if r := s.post(t, "/complete", capital, "Idempotency-Key: a").want(t, 409); r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	close(sign)
	(<-done).want(t, 200)
	s.post(t, "/complete", capital, "Idempotency-Key: a").want(t, 200)
	if n := s.Provider.calls.Load(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// TestFailuresAreNotKept, nor answers that broke off.
func TestFailuresAreNotKept(t *testing.T) {
	t.Parallel()
	redis, _ := repeating(t)
	down := &llm.ProviderError{Kind: llm.ErrorUnavailable, Err: errors.New("down")}
	s := serve(t, redis, playing(&script{words: []string{"Pa"}, err: down}))
	for range 2 {
		s.post(t, "/complete", capital, "Idempotency-Key: a").want(t, 502)
	}
	stream := strings.Replace(capital, "{", `{"stream": true, `, 1)
	for range 2 {
		if r := s.post(t, "/complete", stream, "Idempotency-Key: b").want(t, 200); !bytes.Contains(r.Body, []byte("event: error")) {
			t.Errorf("%s", r.Body)
		}
	}
	if n := s.Provider.calls.Load(); n != 3+3+1+1 { // all models of the plan; for a stream that has begun, one
		t.Errorf("%d calls", n)
	}
}

// TestRepeatedStream comes as it came, at once.
func TestRepeatedStream(t *testing.T) {
	t.Parallel()
	redis, _ := repeating(t)
	s := serve(t, redis, playing(&script{words: []string{"Pa", "ris."}}))
	stream := strings.Replace(capital, "{", `{"stream": true, `, 1)
	first := s.post(t, "/complete", stream, "Idempotency-Key: a").want(t, 200)
	again := s.post(t, "/complete", stream, "Idempotency-Key: a").want(t, 200)
	if !bytes.Equal(first.Body, again.Body) || !bytes.Contains(first.Body, []byte("event: completion")) ||
		again.Header.Get("Content-Type") != "text/event-stream" || s.Provider.calls.Load() != 1 {
		t.Errorf("first %s, then %s as %v, %d calls", first.Body, again.Body, again.Header, s.Provider.calls.Load())
	}
}

// TestClientWhoComesBack after it lost the connection gets the answer that was
// made meanwhile.
func TestClientWhoComesBack(t *testing.T) {
	t.Parallel()
	redis, _ := repeating(t)
	sign, ended := make(chan struct{}, 2), make(chan error, 1)
	s := serve(t, redis, playing(&script{words: []string{"Pa", "ris."}, sign: sign, ended: ended}))
	stream := strings.Replace(capital, "{", `{"stream": true, `, 1)
	sign <- struct{}{}
	response, events := s.open(t, "/complete", stream, "Idempotency-Key: a")
	nextEvent(t, events)
	_ = response.Body.Close()
	s.post(t, "/complete", stream, "Idempotency-Key: a").want(t, 409)
	sign <- struct{}{}
	if err := <-ended; err != nil {
		t.Errorf("the call ended with %v", err)
	}
	var again reply
	within(t, "the answer is kept", func() bool {
		again = s.post(t, "/complete", stream, "Idempotency-Key: a")
		return again.Status == 200
	})
	if !bytes.Contains(again.Body, []byte(`"response":"Paris."`)) || s.Provider.calls.Load() != 1 {
		t.Errorf("%s after %d calls", again.Body, s.Provider.calls.Load())
	}
}

// TestProcessThatDied: its key is free when its lease is over.
func TestProcessThatDied(t *testing.T) {
	t.Parallel()
	choose, plain := repeating(t)
	s := serve(t, choose)
	s.post(t, "/complete", capital, "Idempotency-Key: a").want(t, 200)
	keys, err := plain.Keys(t.Context(), "busu:idempotency:*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	if left := plain.TTL(t.Context(), keys[0]).Val(); left < idempotency.Keep-idempotency.Renew {
		t.Errorf("kept for %s", left)
	}
	if err := errors.Join(plain.HDel(t.Context(), keys[0], "answer").Err(), plain.HSet(t.Context(), keys[0], "token", "dead").Err(),
		plain.PExpire(t.Context(), keys[0], idempotency.Lease).Err()); err != nil {
		t.Fatal(err)
	}
	s.post(t, "/complete", capital, "Idempotency-Key: a").want(t, 409)
	if err := plain.PExpire(t.Context(), keys[0], 1).Err(); err != nil {
		t.Fatal(err)
	}
	within(t, "the lease is over", func() bool { return s.post(t, "/complete", capital, "Idempotency-Key: a").Status == 200 })
}

// failingStore is away.
type failingStore struct{ idempotency.Store }

func (failingStore) Begin(context.Context, string, string, string) ([]byte, error) {
	return nil, io.ErrUnexpectedEOF
}

func TestWithoutTheStoreOfAnswersTheAnswerSaysSo(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *setup) { c.repeats = failingStore{} })
	s.post(t, "/complete", capital, "Idempotency-Key: a").want(t, 200)
	if f := s.Ledger.only(t); len(f.Degraded) != 1 || f.Degraded[0] != "idempotency" {
		t.Errorf("degraded %v", f.Degraded)
	}
}

// ownerlessStore cannot say whose an answer is.
type ownerlessStore struct{ idempotency.Store }

func (ownerlessStore) Own(context.Context, string, string, string) error { return io.ErrUnexpectedEOF }

// TestAnswersThatCouldNotBeRemovedAreNotKept: neither whole ones nor streams.
// Those of nobody are.
func TestAnswersThatCouldNotBeRemovedAreNotKept(t *testing.T) {
	t.Parallel()
	redis, _ := repeating(t)
	s := serve(t, redis, func(c *setup) { c.repeats = ownerlessStore{c.repeats} })
	calls := int64(0)
	for body, want := range map[string]int64{
		capital: 2,
		strings.Replace(capital, "{", `{"stream": true, `, 1): 2,
		`{"prompt": "What is the capital of France?"}`:        1,
	} {
		for range 2 {
			got := s.post(t, "/complete", body, "Idempotency-Key: "+idempotency.Fingerprint([]byte(body))).want(t, 200)
			if said := bytes.Contains(got.Body, []byte(`"degraded":["idempotency"]`)); said != (want == 2) {
				t.Errorf("%s: %s", body, got.Body)
			}
		}
		if n := s.Provider.calls.Load() - calls; n != want {
			t.Errorf("%s: %d calls, want %d", body, n, want)
		}
		calls = s.Provider.calls.Load()
	}
}

// TestForgottenUsersAnswersAreNotRepeated, on any endpoint.
func TestForgottenUsersAnswersAreNotRepeated(t *testing.T) {
	t.Parallel()
	redis, _ := repeating(t)
	s := serve(t, redis, func(c *setup) { c.users = c.repeats.(redisdb.Idempotency) })
	requests := []struct{ path, body, header string }{
		{"/complete", `{"prompt": "a", "user_id": "ada"}`, "X-None: 1"},
		{"/complete", `{"prompt": "a", "user_id": "ada", "stream": true}`, "X-None: 1"},
		{"/v1/chat/completions", `{"model": "auto", "messages": [{"role": "user", "content": "a"}], "user": "ada"}`, "X-None: 1"},
		{"/v1/messages", `{"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}`, "X-Busu-User: ada"},
	}
	replayed := func() (n int) {
		for i, r := range requests {
			got := s.post(t, r.path, r.body, r.header, fmt.Sprint("Idempotency-Key: ", i)).want(t, 200)
			if got.Header.Get("Idempotent-Replayed") == "true" {
				n++
			}
		}
		return n
	}
	if first, again := replayed(), replayed(); first != 0 || again != len(requests) {
		t.Errorf("first %d were repeated, then %d", first, again)
	}
	s.send(t, "DELETE", "/users/eve", "").want(t, 200)
	if n := replayed(); n != len(requests) {
		t.Errorf("after another was forgotten %d are repeated", n)
	}
	var got struct{ Removed map[string]int }
	s.send(t, "DELETE", "/users/ada", "").want(t, 200).decode(t, &got)
	if n := replayed(); n != 0 || got.Removed["idempotency"] != len(requests) {
		t.Errorf("removed %v, and %d are repeated", got.Removed, n)
	}
}

// slowStore notes how long it may take to keep an answer.
type slowStore struct{ within chan time.Duration }

func (slowStore) Begin(context.Context, string, string, string) ([]byte, error) { return nil, nil }
func (slowStore) Own(context.Context, string, string, string) error             { return nil }
func (slowStore) Renew(context.Context, string, string) error                   { return nil }

func (s slowStore) End(ctx context.Context, _, _ string, answer []byte) error {
	deadline, _ := ctx.Deadline()
	if answer != nil {
		s.within <- time.Until(deadline)
	}
	return nil
}

// TestKeepingMayTakeLonger than asking: what is not kept is paid twice.
func TestKeepingMayTakeLonger(t *testing.T) {
	t.Parallel()
	store := slowStore{make(chan time.Duration, 1)}
	s := serve(t, func(c *setup) { c.repeats = store })
	s.post(t, "/complete", capital, "Idempotency-Key: a").want(t, 200)
	if within := <-store.within; within < time.Second || within > 5*time.Second {
		t.Errorf("%s to keep an answer", within)
	}
}
