package gemini

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

const signed = `{"candidates":[{"content":{"parts":[{"functionCall":{"id":"fc1","name":"a","args":{}},"thoughtSignature":"c2lnbmVk"},{"functionCall":{"id":"fc2","name":"b","args":{}}}]},"finishReason":"STOP"}]}`

// next is the request after the calls of signed.
func next(model string, calls ...llm.ToolCall) llm.Request {
	r := question("hello")
	r.Model = model
	r.Messages = append(r.Messages, llm.Message{Role: llm.RoleAssistant, ToolCalls: calls})
	for _, call := range calls {
		r.Messages = append(r.Messages, llm.Message{Role: llm.RoleTool, ToolCallID: call.ID, Content: "done"})
	}
	return r
}

func TestSignaturesGoBackWhereTheyCameFrom(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		asked, again string // models
		own          bool   // the calls are the model's own
		want         string // signatures of both calls
	}{
		"its own":         {"gemini-3-flash-preview", "models/gemini-3-flash-preview", true, "c2lnbmVk -"},
		"another model's": {"gemini-2.5-pro", "gemini-3-flash-preview", true, unsigned + " -"},
		"another vendor":  {"gemini-3-flash-preview", "gemini-3-flash-preview", false, unsigned + " -"},
		"old model":       {"gemini-2.5-pro", "gemini-2.5-pro", true, "c2lnbmVk -"},
		"old model, else": {"gemini-3-flash-preview", "gemini-2.5-pro", true, "- -"},
		"alias":           {"gemini-2.5-pro", "gemini-flash-latest", true, unsigned + " -"},
	} {
		for _, streamed := range []bool{false, true} {
			answer := says(200, signed)
			if streamed {
				answer = streams(signed)
			}
			v := newVendor(t, answer)
			r := question("hello")
			r.Model = c.asked
			if streamed {
				r.Emit = func(llm.Chunk) error { return nil }
			}
			got, err := v.Complete(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			calls := got.ToolCalls
			if !c.own {
				calls = []llm.ToolCall{{ID: "toolu_1", Name: "a"}, {ID: "toolu_2", Name: "b"}}
			}
			wire, err := v.translate(next(c.again, calls...))
			if err != nil {
				t.Fatal(err)
			}
			var signatures []string
			for _, part := range wire.Contents[1].Parts {
				if part.Signature == "" {
					part.Signature = "-"
				}
				signatures = append(signatures, part.Signature)
			}
			if got := strings.Join(signatures, " "); got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
		}
	}
}

func TestSignaturesAreForgottenWhenThereAreTooMany(t *testing.T) {
	t.Parallel()
	var s signatures
	large := strings.Repeat("x", 64<<10)
	s.keep("m", "used", "still needed")
	s.keep("m", "unused", "not needed")
	s.keep("m", "huge", strings.Repeat("x", maxSignature+1))
	for i := range 1000 {
		s.keep("m", fmt.Sprint(i), large)
		if s.of("m", "used") == "" {
			t.Fatalf("a signature in use was forgotten after %d", i)
		}
		kept := 0
		for _, generation := range []map[string]string{s.young, s.old} {
			for _, signature := range generation {
				kept += len(signature)
			}
		}
		if kept > 2*maxSignatures+maxSignature {
			t.Fatalf("%d bytes are kept", kept)
		}
	}
	if s.of("m", "999") == "" || s.of("m", "0") != "" || s.of("m", "unused") != "" || s.of("m", "huge") != "" {
		t.Error("not the oldest were forgotten")
	}
}

func TestSignaturesOfManyAtOnce(t *testing.T) {
	t.Parallel()
	var s signatures
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 1000 {
				id := fmt.Sprint(i, " ", j)
				if s.keep("m", id, id); s.of("m", id) != id {
					t.Errorf("%s is %q", id, s.of("m", id))
				}
			}
		})
	}
	group.Wait()
}
