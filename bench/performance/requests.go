package performance

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// recipe makes requests that differ in two numbers, from bytes that are ready:
// who sends shares its cores with what is measured.
type recipe struct {
	wires []wire
	from  int // the first number
	kinds int // so many different ones; 0: all differ
	users int // so many send them in turn
}

// wire is a request with the places of its numbers.
type wire struct {
	text         []byte
	number, user int // where they begin; -1: nowhere
}

const (
	numberMark = "0000000000"  // is replaced by the number
	userMark   = "user-000000" // its digits by the user's
	userDigits = 6
	users      = 1000
)

// prompts are questions as people ask them, short and long, simple and not. The
// number makes each a new one.
func prompts() []string {
	return []string{
		"What is the capital of France? Ticket 0000000000.",
		"Translate into German: \\\"The meeting was moved to Thursday.\\\" Reference 0000000000.",
		"Summarise this in one sentence: the quarterly report 0000000000 shows that revenue grew by four percent while costs stayed flat, and that the board wants to keep hiring slowly until spring.",
		"Write a Go function that merges overlapping intervals, explain its complexity step by step, and prove that it terminates. Task 0000000000.",
		"Is 0000000000 divisible by seven? Answer yes or no.",
		"Compare optimistic and pessimistic locking for a bank ledger with many small transfers: which anomalies can each of them let through, and why? Case 0000000000.",
		"Classify the mood of this review: \\\"It arrived late but works well enough.\\\" Review 0000000000.",
		"Draft a polite answer to customer 0000000000, who asks why the invoice was charged twice; offer a refund, and say when it will arrive.",
	}
}

// ask is what a chat request says besides the question.
type ask struct {
	model   string
	key     string // "": none
	headers []string
	user    bool
	stream  bool
	path    string // before /chat/completions; "" is /v1
}

// recipe makes chat requests, the first with a number.
func (a ask) recipe(from, kinds int) recipe {
	r := recipe{from: from, kinds: kinds, users: users}
	for _, prompt := range prompts() {
		r.wires = append(r.wires, a.wire(prompt))
	}
	return r
}

func (a ask) wire(prompt string) wire {
	var extra string
	if a.stream {
		extra += `,"stream":true`
	}
	if a.user {
		extra += `,"user":"` + userMark + `"`
	}
	body := fmt.Sprintf(`{"model":"%s","messages":[{"role":"user","content":"%s"}]%s}`, a.model, prompt, extra)
	var head strings.Builder
	path := a.path
	if path == "" {
		path = "/v1"
	}
	fmt.Fprintf(&head, "POST %s/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", path, len(body))
	if a.key != "" {
		fmt.Fprintf(&head, "Authorization: Bearer %s\r\n", a.key)
	}
	for _, h := range a.headers {
		head.WriteString(h + "\r\n")
	}
	text := []byte(head.String() + "\r\n" + body)
	w := wire{text: text, number: bytes.LastIndex(text, []byte(numberMark)), user: bytes.LastIndex(text, []byte(userMark))}
	if w.user >= 0 {
		w.user += len(userMark) - userDigits
	}
	return w
}

// among has so many users send them.
func (r recipe) among(users int) recipe {
	r.users = users
	return r
}

// request writes the i-th one.
func (r recipe) request(into []byte, i int) []byte {
	n := i
	if r.kinds > 0 {
		n %= r.kinds
	}
	w := r.wires[n%len(r.wires)]
	into = append(into[:0], w.text...)
	put(into, w.number, len(numberMark), r.from+n)
	put(into, w.user, userDigits, n%r.users)
	return into
}

// put writes a number with leading zeros.
func put(into []byte, at, digits, n int) {
	if at < 0 {
		return
	}
	for i := at + digits - 1; i >= at; i, n = i-1, n/10 {
		into[i] = strconv.Itoa(n % 10)[0]
	}
}
