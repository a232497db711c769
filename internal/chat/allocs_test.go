package chat_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
)

// TestAllocations holds what requests, answers and pieces of them take to be
// read and written.
func TestAllocations(t *testing.T) {
	upstream := llm.Request{Model: "gpt-x", Body: []byte(usual), Emit: func(llm.Chunk) error { return nil }}
	head := chat.Head{ID: "chatcmpl-1", Created: time.Unix(1_760_000_000, 0), Model: "m"}
	for _, op := range []struct {
		name string
		most float64
		do   func() error
	}{
		{"parse a request", 6, func() error { _, err := chat.Parse([]byte(usual)); return err }},
		{"write it for a vendor", 2, func() error { _, err := chat.Upstream(upstream, chat.Dialect{}); return err }},
		{"read a piece", 2, func() error { _, err := chat.DecodeChunk([]byte(piece)); return err }},
		{"read an answer", 2, func() error { _, err := chat.Decode([]byte(whole)); return err }},
		{"write a piece", 2, func() error { chat.EncodeChunk(head, llm.Chunk{Text: " Lima"}, false); return nil }},
		{"add the cost", 2, func() error { chat.WithCost([]byte(whole), llm.Usage{}, "0.0000213"); return nil }},
	} {
		if n := testing.AllocsPerRun(200, func() {
			if err := op.do(); err != nil {
				t.Fatal(err)
			}
		}); n > op.most {
			t.Errorf("%s: %g allocations, more than %g", op.name, n, op.most)
		}
	}
}
