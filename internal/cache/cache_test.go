package cache_test

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
)

const (
	ttl         = 5 * time.Minute
	postgresTTL = time.Hour
)

var models = []string{"small", "large"}

// process is one of several that share levels.
type process struct {
	*cache.Cache
	t *testing.T
}

// start runs a cache on levels until the test ends. Within a bubble it returns
// when its loops wait.
func start(t *testing.T, o cache.Options) process {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.TTL, o.PostgresTTL = ttl, postgresTTL
	if o.MemoryBytes == 0 {
		o.MemoryBytes = 8 << 20
	}
	c := cache.New(o)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return process{c, t}
}

func (p process) look(text string) cache.Look {
	p.t.Helper()
	return p.Get(p.t.Context(), cachetest.Key(p.t, text), models)
}

// put makes the answer to a question, as a call would.
func (p process) put(text string, e *cache.Entry) {
	p.t.Helper()
	l := p.look(text)
	if l.Found {
		p.t.Fatalf("%q has an answer already", text)
	}
	if !p.Put(l, *e) {
		p.t.Fatalf("the answer to %q was not kept", text)
	}
	l.Release()
}

// expect looks, and says where the answer came from; "" is nowhere.
func (p process) expect(text, level string) cache.Look {
	p.t.Helper()
	l := p.look(text)
	l.Release()
	if l.Level != level || l.Found != (level != "") {
		p.t.Fatalf("%q came from %q, want %q", text, l.Level, level)
	}
	return l
}

// A hit says all there is about the call that made the answer.
func TestAHitSaysWhereItCameFrom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis, postgres := cachetest.NewFake(), cachetest.NewFake()
		one, two := start(t, cache.Options{Redis: redis, Postgres: postgres}), start(t, cache.Options{Redis: redis})
		three := start(t, cache.Options{Postgres: postgres})
		e := cachetest.Entry("large")
		e.At = e.At.UTC().Round(0)
		e.Response.ToolCalls = []llm.ToolCall{{ID: "1", Name: "f", Arguments: `{"a":1}`}}
		e.Response.Body = []byte(`{"choices": [ ] }`)
		one.put("q", e)
		time.Sleep(2 * time.Second) // PostgreSQL is polled for what others store
		for _, c := range []struct {
			process
			level string
		}{{one, event.CacheMemory}, {two, event.CacheRedis}, {two, event.CacheMemory}, {three, event.CachePostgres}, {three, event.CacheMemory}} {
			l := c.expect("q", c.level)
			got, want := *l.Entry, *e
			if l.Label != cache.Exact || l.Degraded {
				t.Errorf("%s: label %s, degraded %v", c.level, l.Label, l.Degraded)
			}
			gotFields, wantFields := fmt.Sprintf("%+v", exported(got)), fmt.Sprintf("%+v", exported(want))
			if gotFields != wantFields {
				t.Errorf("%s: got\n%s\nwant\n%s", c.level, gotFields, wantFields)
			}
		}
	})
}

// exported are the fields that others see.
func exported(e cache.Entry) map[string]any {
	fields := map[string]any{}
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			fields[f.Name] = v.Field(i).Interface()
		}
	}
	return fields
}

// An answer is reused whatever model made it, if that is among those allowed.
func TestOnlyAnswersOfAllowedModels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis := cachetest.NewFake()
		one, two := start(t, cache.Options{Redis: redis}), start(t, cache.Options{Redis: redis})
		one.put("q", cachetest.Entry("large"))
		synctest.Wait()
		for _, p := range []process{one, two} {
			k := cachetest.Key(t, "q")
			if l := p.Get(t.Context(), k, []string{"small"}); l.Found {
				t.Errorf("the answer of %s was found", l.Model)
			}
			if l := p.Get(t.Context(), k, []string{"small", "large"}); !l.Found || l.Model != "large" {
				t.Errorf("got %+v", l)
			}
			if _, ok := p.Recall(k, []string{"large"}); !ok {
				t.Error("not in memory")
			}
			if _, ok := p.Recall(k, []string{"small"}); ok {
				t.Error("an answer in memory of a model that is not allowed")
			}
		}
	})
}

func TestOnlyWholeAnswersAreKept(t *testing.T) {
	t.Parallel()
	call := func(args string) []llm.ToolCall { return []llm.ToolCall{{ID: "1", Name: "f", Arguments: args}} }
	plain := llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Content: "q"}}}
	asJSON, embeddings, logprobs := plain, plain, plain
	asJSON.ResponseFormat.Type = llm.ResponseJSONSchema
	embeddings.Format = llm.FormatEmbeddings
	logprobs.Body = []byte(`{"logprobs":true}`)
	for _, c := range []struct {
		name     string
		request  llm.Request
		response llm.Response
		kept     bool
	}{
		{"text", plain, llm.Response{Text: "a", FinishReason: "stop"}, true},
		{"cut off", plain, llm.Response{Text: "a", FinishReason: "length"}, false},
		{"filtered", plain, llm.Response{Text: "a", FinishReason: "content_filter"}, false},
		{"no reason", plain, llm.Response{Text: "a"}, false},
		{"another reason", plain, llm.Response{Text: "a", FinishReason: "pause"}, false},
		{"empty", plain, llm.Response{FinishReason: "stop"}, false},
		{"white space", plain, llm.Response{Text: " \n", FinishReason: "stop"}, false},
		{"refused", plain, llm.Response{Text: "a", Refusal: "no", FinishReason: "stop"}, false},
		{"tool call", plain, llm.Response{ToolCalls: call(`{"a":1}`), FinishReason: "tool_calls"}, true},
		{"tool call without arguments", plain, llm.Response{ToolCalls: call(``), FinishReason: "tool_calls"}, true},
		{"tool call and stop", plain, llm.Response{Text: "a", ToolCalls: call(`{}`), FinishReason: "stop"}, true},
		{"tool call cut off", plain, llm.Response{ToolCalls: call(`{"a":`), FinishReason: "tool_calls"}, false},
		{"tool call without a name", plain, llm.Response{ToolCalls: []llm.ToolCall{{Arguments: `{}`}}, FinishReason: "tool_calls"}, false},
		{"no tool call", plain, llm.Response{Text: "a", FinishReason: "tool_calls"}, false},
		{"JSON", asJSON, llm.Response{Text: `{"a":1}`, FinishReason: "stop"}, true},
		{"no JSON", asJSON, llm.Response{Text: `{"a":`, FinishReason: "stop"}, false},
		{"tool call instead of JSON", asJSON, llm.Response{ToolCalls: call(`{}`), FinishReason: "tool_calls"}, true},
		{"embeddings", embeddings, llm.Response{Body: []byte(`{"data":[]}`)}, true},
		{"no embeddings", embeddings, llm.Response{}, false},
		{"logprobs", logprobs, llm.Response{Text: "a", FinishReason: "stop", Body: []byte(`{}`)}, true},
		{"logprobs without a body", logprobs, llm.Response{Text: "a", FinishReason: "stop"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := cache.New(cache.Options{MemoryBytes: 1 << 20, TTL: ttl})
			k := key(t, project(), cache.Question{Project: "p", Request: &c.request})
			e := cachetest.Entry("small")
			e.Response = c.response
			if kept := p.Put(p.Get(t.Context(), k, models), *e); kept != c.kept {
				t.Errorf("kept: %v", kept)
			}
			if l := p.Get(t.Context(), k, models); l.Found != c.kept {
				t.Errorf("found: %v", l.Found)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	p := cache.New(cache.Options{MemoryBytes: 1 << 20, TTL: ttl})
	keys := cache.Keys{Similar: true}
	p.Put(p.Get(t.Context(), key(t, keys, cachetest.Question("Turn it on.")), models), *cachetest.Entry("small"))
	for text, want := range map[string]cache.Label{"Turn it on.": cache.Exact, "turn it  on": cache.Similar, "Turn it off.": ""} {
		if got := p.Get(t.Context(), key(t, keys, cachetest.Question(text)), models).Label; got != want {
			t.Errorf("%q: label %q, want %q", text, got, want)
		}
	}
	s := p.Stats()
	if s.Hits[0] != (cache.HitStats{Level: event.CacheMemory, Label: cache.Exact, Hits: 1}) ||
		s.Hits[1] != (cache.HitStats{Level: event.CacheMemory, Label: cache.Similar, Hits: 1}) || s.Misses != 2 || s.Stores != 1 || s.Entries != 1 || s.Bytes == 0 {
		t.Errorf("%+v", s)
	}
}

// Answers live for the TTL in memory and Redis, longer in PostgreSQL, and come
// back from there; never beyond their whole life.
func TestAnswersLiveAsLongAsTheyMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis, postgres := cachetest.NewFake(), cachetest.NewFake()
		one := start(t, cache.Options{Redis: redis, Postgres: postgres})
		alone := start(t, cache.Options{Redis: cachetest.NewFake()})
		one.put("q", cachetest.Entry("small"))
		alone.put("q", cachetest.Entry("small"))
		time.Sleep(ttl - time.Second)
		one.expect("q", event.CacheMemory)
		alone.expect("q", event.CacheMemory)
		time.Sleep(time.Second)
		one.expect("q", event.CachePostgres)
		alone.expect("q", "")
		time.Sleep(time.Second)
		one.expect("q", event.CacheMemory)
		start(t, cache.Options{Redis: redis, Postgres: postgres}).expect("q", event.CacheRedis)
		time.Sleep(postgresTTL - ttl - 2*time.Second)
		one.expect("q", event.CachePostgres)
		time.Sleep(time.Second)
		one.expect("q", "")
	})
}

// A project that keeps answers for less is not given older ones, whatever level
// has them; one that keeps none has none.
func TestAnswersOfAProjectLiveShorter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis, postgres := cachetest.NewFake(), cachetest.NewFake()
		project := cachetest.Entry("small").Project
		short := func(d time.Duration) map[string]time.Duration {
			return map[string]time.Duration{project: d, "other": time.Second}
		}
		one := start(t, cache.Options{Redis: redis, Postgres: postgres, Shorter: short(time.Minute)})
		none := start(t, cache.Options{Redis: cachetest.NewFake(), Postgres: cachetest.NewFake(), Shorter: short(0)})
		long := start(t, cache.Options{Redis: redis, Postgres: postgres})
		look := none.look("q")
		if none.Put(look, *cachetest.Entry("small")) {
			t.Error("an answer is kept of a project that keeps none")
		}
		look.Release()
		none.expect("q", "")
		one.put("q", cachetest.Entry("small"))
		long.put("r", cachetest.Entry("small"))
		time.Sleep(59 * time.Second)
		one.expect("q", event.CacheMemory)
		one.expect("r", event.CacheRedis)
		time.Sleep(time.Second)
		one.expect("q", "")
		one.expect("r", "")
		long.expect("r", event.CacheMemory)
	})
}

func TestPutAfterAHitKeepsNothing(t *testing.T) {
	t.Parallel()
	p := cache.New(cache.Options{MemoryBytes: 1 << 20, TTL: ttl})
	k := cachetest.Key(t, "q")
	first := cachetest.Entry("small")
	p.Put(p.Get(t.Context(), k, models), *first)
	if p.Put(p.Get(t.Context(), k, models), *cachetest.Entry("small")) {
		t.Error("kept")
	}
	if l := p.Get(t.Context(), k, models); l.RequestID != first.RequestID {
		t.Error("replaced")
	}
}

// What waits to be written when the process stops is written.
func TestWhatWaitsIsWrittenAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis, postgres := cachetest.NewFake(), cachetest.NewFake()
		c := cache.New(cache.Options{TTL: ttl, PostgresTTL: postgresTTL, Redis: redis, Postgres: postgres, Log: slog.New(slog.DiscardHandler)})
		ctx, stop := context.WithCancel(t.Context())
		stop()
		for i := range 1000 {
			if !c.Put(c.Get(t.Context(), cachetest.Key(t, fmt.Sprint(i)), models), *cachetest.Entry("small")) {
				t.Fatal("not kept")
			}
		}
		if err := c.Run(ctx); err != nil || redis.Entries() != 1000 || postgres.Entries() != 1000 {
			t.Errorf("%d and %d of 1000 were written: %v", redis.Entries(), postgres.Entries(), err)
		}
	})
}

// What waits is bounded: without a writer answers are dropped, and counted.
func TestWhatWaitsIsBounded(t *testing.T) {
	t.Parallel()
	c := cache.New(cache.Options{TTL: ttl, Redis: cachetest.NewFake(), Log: slog.New(slog.DiscardHandler)})
	e := cachetest.Entry("small")
	e.Response.Text = string(make([]byte, 1<<20)) + "x"
	for i := range 20 {
		c.Put(c.Get(t.Context(), cachetest.Key(t, fmt.Sprint(i)), models), *e)
	}
	if s := c.Stats().Levels[0]; s.Dropped < 12 || s.Dropped > 13 {
		t.Errorf("%d of 20 MiB were dropped", s.Dropped)
	}
}

func TestEntriesOfOtherVersionsAreMisses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis := cachetest.NewFake()
		p := start(t, cache.Options{Redis: redis})
		item := cachetest.Item(t, "q", cachetest.Entry("small"))
		for name, body := range map[string][]byte{"newer": append([]byte{255}, item.Body[1:]...), "short": item.Body[:50], "long": append(item.Body[:len(item.Body):len(item.Body)], 0), "none": {}} {
			broken := item
			broken.Body = body
			if _, err := redis.Keep(t.Context(), []cache.Item{broken}, time.Now()); err != nil {
				t.Fatal(err)
			}
			if l := p.expect("q", ""); l.Degraded {
				t.Errorf("%s: degraded", name)
			}
		}
		p.put("q", cachetest.Entry("small"))
		if p.Stats().Levels[0].Errors != 5 {
			t.Errorf("%+v", p.Stats().Levels)
		}
	})
}
