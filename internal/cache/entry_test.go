package cache_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// TestKeptAnswersHoldNoMore than they count: they come with views of a whole
// request, and of all that a vendor said.
func TestKeptAnswersHoldNoMore(t *testing.T) {
	t.Parallel()
	for name, whole := range map[string]bool{"with a body": true, "without a body": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cache.New(cache.Options{MemoryBytes: 1 << 20, TTL: ttl})
			key := cachetest.Key(t, "q")
			var held [2]weak.Pointer[byte]
			func() {
				request, said := []byte("ann "+strings.Repeat("asks ", 1<<18)), []byte("{} the model small-0613 says yes call_1 look {} stop "+strings.Repeat("and thinks ", 1<<18))
				held = [2]weak.Pointer[byte]{weak.Make(&request[0]), weak.Make(&said[0])}
				part := func(text string) string {
					at := strings.Index(document.View(said), text)
					return document.View(said)[at : at+len(text)]
				}
				e := cachetest.Entry("small")
				e.UserID = document.View(request)[:3]
				e.Response = llm.Response{Model: part("small-0613"), Text: part("says yes"), FinishReason: part("stop"),
					ToolCalls: []llm.ToolCall{{ID: part("call_1"), Name: part("look"), Arguments: part("{}")}}}
				if whole { // which is all that was said
					e.Response.Body = said[:2:2]
					held[1] = weak.Pointer[byte]{}
				}
				if !c.Put(c.Get(t.Context(), key, models), *e) {
					t.Fatal("not kept")
				}
			}()
			runtime.GC()
			for i, of := range []string{"the request", "what the vendor said"} {
				if held[i].Value() != nil {
					t.Errorf("%s is kept whole", of)
				}
			}
			hit, found := c.Recall(key, models)
			if got := fmt.Sprintln(found, hit.UserID, hit.Response.Model, hit.Response.Text, hit.Response.FinishReason, hit.Response.ToolCalls); got != "true ann small-0613 says yes stop [{call_1 look {}}]\n" {
				t.Errorf("kept %s", got)
			}
		})
	}
}
