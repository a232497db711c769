package chat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
)

// usual is a request as most are; agent one with tools and a long past.
const usual = `{"model":"small","messages":[{"role":"system","content":"You are a helpful assistant that answers in one sentence."},` +
	`{"role":"user","content":"What is the capital of Peru, and how many people live there? Answer briefly, and say where the number is from."}],` +
	`"temperature":0.2,"max_tokens":300,"stream":true,"stream_options":{"include_usage":true},"user":"u-123","seed":7}`

func agent() string {
	turn := `{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"search","arguments":"{\"query\":\"peru\"}"}}]},` +
		`{"role":"tool","tool_call_id":"call_1","content":"` + strings.Repeat("A line of what was found.\\n", 40) + `"},`
	tool := `{"type":"function","function":{"name":"search","description":"Searches.","parameters":{"type":"object","properties":{"query":{"type":"string"},"limit":{"type":"integer"}},"required":["query"]}}}`
	return `{"model":"large","messages":[{"role":"user","content":"Find out."},` + strings.Repeat(turn, 20) + `{"role":"user","content":"And now?"}],` +
		`"tools":[` + strings.Repeat(tool+",", 9) + tool + `],"tool_choice":"auto"}`
}

const piece = `{"id":"chatcmpl-9xyzABCDEF","object":"chat.completion.chunk","created":1760000000,"model":"gpt-x-mini-2025-01-01","service_tier":"default","system_fingerprint":"fp_0123456789",` +
	`"choices":[{"index":0,"delta":{"content":" Lima"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"abcdef"}`

const whole = `{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"gpt-x-mini-2025","choices":[{"index":0,"message":{"role":"assistant","content":"Lima has about ten million inhabitants, says the statistics office.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],` +
	`"usage":{"prompt_tokens":1200,"completion_tokens":300,"total_tokens":1500,"prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":256,"audio_tokens":0}},"service_tier":"default","system_fingerprint":null}`

func BenchmarkParse(b *testing.B) {
	filler := strings.Repeat("word ", (4<<20-200)/5)
	for name, body := range map[string]string{
		"usual": usual,
		"agent": agent(),
		"4MiB":  `{"model":"m","messages":[{"role":"user","content":"` + filler + `"}]}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := chat.Parse([]byte(body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUpstream(b *testing.B) {
	for name, body := range map[string]string{"usual": usual, "agent": agent()} {
		r := llm.Request{Model: "gpt-x", Body: []byte(body), Emit: func(llm.Chunk) error { return nil }}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := chat.Upstream(r, chat.Dialect{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeChunk(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if c, err := chat.DecodeChunk([]byte(piece)); err != nil || c.Text != " Lima" {
			b.Fatal(c, err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := chat.Decode([]byte(whole)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeChunk(b *testing.B) {
	head := chat.Head{ID: "chatcmpl-1", Created: time.Unix(1_760_000_000, 0), Model: "m"}
	b.ReportAllocs()
	for b.Loop() {
		chat.EncodeChunk(head, llm.Chunk{Text: " Lima"}, false)
	}
}

func BenchmarkWithCost(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		chat.WithCost([]byte(whole), llm.Usage{}, "0.0000213")
	}
}
