package mock

import (
	"fmt"
	"strings"
)

// answers are all there are, in their wire form.
type answers struct {
	whole, failure, other []byte
	pieces                [][]byte // of a stream, each a chunk of its own
}

func newAnswers() answers {
	a := answers{
		whole:   reply("200 OK", Answer()),
		failure: reply("500 Internal Server Error", []byte(`{"error":{"message":"as was asked for","type":"server_error"}}`)),
		other:   reply("200 OK", []byte(`{"object":"list","data":[{"id":"mock","object":"model"}]}`)),
		pieces:  [][]byte{[]byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")},
	}
	for _, event := range events() {
		a.pieces = append(a.pieces, fmt.Appendf(nil, "%x\r\n%s\r\n", len(event), event))
	}
	// The head comes with the first piece, and the end with the last.
	a.pieces[1] = append(a.pieces[0], a.pieces[1]...)
	a.pieces = a.pieces[1:]
	last := len(a.pieces) - 1
	a.pieces[last] = append(a.pieces[last], "0\r\n\r\n"...)
	return a
}

func reply(status string, body []byte) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

// Answer is the body of one that comes whole.
func Answer() []byte {
	of := func(text string) string {
		return fmt.Sprintf(`{"id":"chatcmpl-mock","object":"chat.completion","created":1700000000,"model":"mock","choices":[{"index":0,`+
			`"message":{"role":"assistant","content":"%s","refusal":null},"logprobs":null,"finish_reason":"stop"}],`+
			`"usage":{"prompt_tokens":40,"completion_tokens":64,"total_tokens":104},"system_fingerprint":"fp_mock"}`, text)
	}
	text := strings.Repeat(word, AnswerBytes)[:AnswerBytes-len(of(""))]
	return []byte(of(text))
}

func events() []string {
	chunk := func(delta, finish string) string {
		return fmt.Sprintf(`data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock",`+
			`"choices":[{"index":0,"delta":{%s},"finish_reason":%s}]}`+"\n\n", delta, finish)
	}
	all := []string{chunk(`"role":"assistant","content":""`, "null")}
	for range Words {
		all = append(all, chunk(`"content":"`+word+`"`, "null"))
	}
	return append(all, chunk("", `"stop"`),
		`data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":[],`+
			`"usage":{"prompt_tokens":40,"completion_tokens":20,"total_tokens":60}}`+"\n\n",
		"data: [DONE]\n\n")
}
