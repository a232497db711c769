// Package cachetest says what the levels of the cache must do, as tests that
// each of them passes, and makes entries for tests.
package cachetest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
)

// Key is that of a question with some text.
func Key(tb testing.TB, text string) cache.Key {
	tb.Helper()
	k, ok := cache.Keys{Scope: cache.ScopeProject}.Of(Question(text))
	if !ok {
		tb.Fatalf("%q has no key", text)
	}
	return k
}

// Question is one of the default project's with some text.
func Question(text string) cache.Question {
	return cache.Question{Project: event.DefaultProject,
		Request: &llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Content: text}}}}
}

// Entry is an answer of a model, made now by a request of its own.
func Entry(model string) *cache.Entry {
	return &cache.Entry{Project: event.DefaultProject, UserID: "ann", RequestID: uuid.Must(uuid.NewV7()), At: time.Now(),
		Provider: "vendor", Model: model, CostNanos: 12_345, Experiments: []event.Arm{{Experiment: "e", Arm: "test"}},
		Response: llm.Response{Model: model + "-0613", Text: "The answer of " + model + ", ü 🙂.", FinishReason: llm.FinishStop,
			Usage: llm.Usage{In: 10, CachedIn: 3, Out: 7, Reasoning: 2}}}
}

// Item is an entry on its way to a level, to be kept for a minute.
func Item(tb testing.TB, text string, e *cache.Entry) cache.Item {
	tb.Helper()
	return cache.Item{Key: Key(tb, text), Entry: e, Body: e.Encode(nil), Until: time.Now().Add(time.Minute)}
}

// within bounds each step.
const within = 10 * time.Second

func keep(t *testing.T, s cache.Store, items ...cache.Item) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if n, err := s.Keep(ctx, items, time.Now()); err != nil || n != len(items) {
		t.Fatalf("kept %d of %d: %v", n, len(items), err)
	}
}

func find(t *testing.T, s cache.Store, text string, models ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	body, err := s.Find(ctx, Key(t, text), models)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func forget(t *testing.T, s cache.Store, g cache.Gone, want int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if n, err := s.Forget(ctx, g); err != nil || n != want {
		t.Fatalf("forgot %d entries, want %d: %v", n, want, err)
	}
}

// TestStore tests a level. open gives an empty one to each test.
func TestStore(t *testing.T, open func(t *testing.T) cache.Store) {
	for name, test := range map[string]func(*testing.T, cache.Store){
		"find": testFind, "newer answer": testNewer, "expiry": testExpiry, "many": testMany,
		"forget request": testForgetRequest, "forget user": testForgetUser, "forget project": testForgetProject,
		"any bytes": testAnyBytes, "concurrent": testConcurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func testFind(t *testing.T, s cache.Store) {
	if find(t, s, "q", "small") != nil {
		t.Error("an empty level has an answer")
	}
	small, large := Item(t, "q", Entry("small")), Item(t, "q", Entry("large"))
	keep(t, s, small, large)
	for _, c := range []struct {
		models string
		want   []byte
	}{{"small", small.Body}, {"large", large.Body}, {"small large", small.Body}, {"large small", large.Body},
		{"medium large", large.Body}, {"medium", nil}, {"", nil}} {
		if got := find(t, s, "q", strings.Fields(c.models)...); !bytes.Equal(got, c.want) {
			t.Errorf("of %q: %q, want %q", c.models, got, c.want)
		}
	}
	if find(t, s, "another", "small", "large") != nil {
		t.Error("the answer to another question was found")
	}
}

func testNewer(t *testing.T, s cache.Store) {
	older := Item(t, "q", Entry("small"))
	newer := Item(t, "q", Entry("small"))
	newest := Item(t, "q", Entry("small"))
	newer.Entry.At, newest.Entry.At = older.Entry.At.Add(time.Second), older.Entry.At.Add(2*time.Second)
	keep(t, s, older)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if _, err := s.Keep(ctx, []cache.Item{newer, newest}, time.Now()); err != nil { // in the same place
		t.Fatal(err)
	}
	if got := find(t, s, "q", "small"); !bytes.Equal(got, newest.Body) {
		t.Errorf("found %q", got)
	}
}

func testExpiry(t *testing.T, s cache.Store) {
	short, long := Item(t, "short", Entry("m")), Item(t, "long", Entry("m"))
	short.Until = time.Now().Add(300 * time.Millisecond)
	keep(t, s, short, long)
	for find(t, s, "short", "m") != nil {
		if time.Since(short.Until) > within {
			t.Fatal("it is still there")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if late := time.Since(short.Until); late < -2*time.Millisecond { // levels reckon in milliseconds
		t.Errorf("it went %s before its time", -late)
	}
	if find(t, s, "long", "m") == nil {
		t.Error("another one went too")
	}
}

func testMany(t *testing.T, s cache.Store) {
	var items []cache.Item
	for i := range 300 {
		items = append(items, Item(t, fmt.Sprint("q", i), Entry("m")))
	}
	keep(t, s, items...)
	for i := range 300 {
		if !bytes.Equal(find(t, s, fmt.Sprint("q", i), "m"), items[i].Body) {
			t.Errorf("%d is not there", i)
		}
	}
	forget(t, s, cache.Gone{Project: event.DefaultProject, UserID: "ann"}, 300)
	for i := range 300 {
		if find(t, s, fmt.Sprint("q", i), "m") != nil {
			t.Errorf("%d is there", i)
		}
	}
}

// three are entries of two users and of nobody, each with its question.
func three(t *testing.T, s cache.Store) (ann, bob, nobody *cache.Entry) {
	t.Helper()
	ann, bob, nobody = Entry("m"), Entry("m"), Entry("m")
	bob.UserID, nobody.UserID = "bob", ""
	keep(t, s, Item(t, "ann", ann), Item(t, "bob", bob), Item(t, "nobody", nobody))
	return ann, bob, nobody
}

// left checks whose entries are left.
func left(t *testing.T, s cache.Store, want string) {
	t.Helper()
	var got []string
	for _, who := range []string{"ann", "bob", "nobody"} {
		if find(t, s, who, "m") != nil {
			got = append(got, who)
		}
	}
	if strings.Join(got, " ") != want {
		t.Errorf("left is what %q asked, want %q", got, want)
	}
}

func testForgetRequest(t *testing.T, s cache.Store) {
	ann, _, nobody := three(t, s)
	forget(t, s, cache.Gone{Project: "another", Requests: []uuid.UUID{ann.RequestID}}, 0)
	forget(t, s, cache.Gone{Project: event.DefaultProject, Requests: []uuid.UUID{uuid.Must(uuid.NewV7())}}, 0)
	left(t, s, "ann bob nobody")
	forget(t, s, cache.Gone{Project: event.DefaultProject, Requests: []uuid.UUID{ann.RequestID}}, 1)
	left(t, s, "bob nobody")
	forget(t, s, cache.Gone{Project: event.DefaultProject, Requests: []uuid.UUID{nobody.RequestID}}, 1)
	left(t, s, "bob")
	ann, bob, _ := three(t, s)
	forget(t, s, cache.Gone{Project: event.DefaultProject, Requests: []uuid.UUID{uuid.Must(uuid.NewV7()), ann.RequestID, bob.RequestID}}, 2)
	left(t, s, "nobody")
}

func testForgetUser(t *testing.T, s cache.Store) {
	three(t, s)
	forget(t, s, cache.Gone{Project: "another", UserID: "ann"}, 0)
	forget(t, s, cache.Gone{Project: event.DefaultProject, UserID: "an"}, 0)
	left(t, s, "ann bob nobody")
	forget(t, s, cache.Gone{Project: event.DefaultProject, UserID: "ann"}, 1)
	left(t, s, "bob nobody")
}

func testForgetProject(t *testing.T, s cache.Store) {
	three(t, s)
	forget(t, s, cache.Gone{Project: "another"}, 0)
	left(t, s, "ann bob nobody")
	forget(t, s, cache.Gone{Project: event.DefaultProject}, 3)
	left(t, s, "")
}

// Whatever bytes a user's name or a body has, the others are kept.
func testAnyBytes(t *testing.T, s cache.Store) {
	odd := Entry("m")
	odd.UserID = "a\x00b\xff{x}:"
	binary := Entry("m")
	binary.Response.Text, binary.Response.Body = "\x00\xff", []byte("{\"a\": \"\\u0000\", \r\n \"b\":\x00\xfe}")
	good := Item(t, "good", binary)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if n, err := s.Keep(ctx, []cache.Item{Item(t, "odd", odd), good}, time.Now()); err != nil || n == 0 {
		t.Fatalf("kept %d: %v", n, err)
	}
	if got := find(t, s, "good", "m"); !bytes.Equal(got, good.Body) {
		t.Errorf("found %q, want %q", got, good.Body)
	}
}

func testConcurrent(t *testing.T, s cache.Store) {
	var all sync.WaitGroup
	for writer := range 8 {
		all.Go(func() {
			for round := range 10 {
				var items []cache.Item
				for i := range 20 {
					items = append(items, Item(t, fmt.Sprint("q", (i+7*writer)%20), Entry("m")))
				}
				ctx, cancel := context.WithTimeout(t.Context(), within)
				if _, err := s.Keep(ctx, items, time.Now()); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
				if _, err := s.Find(ctx, items[3].Key, []string{"m", "n"}); err != nil {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	all.Wait()
	for i := range 20 {
		if find(t, s, fmt.Sprint("q", i), "m") == nil {
			t.Errorf("%d is not there", i)
		}
	}
}
