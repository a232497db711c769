// Package trafficlog reads what others logged of calls to language models, a
// JSON object a line, and tells of each what was asked, of which model, and how
// many tokens it took. It knows, line by line:
//
//   - requests with their answers in OpenAI's words: body or request with model
//     and messages (or input), and response with usage, as batches and proxies
//     write them, or all of it side by side;
//   - LiteLLM's standard logging payload, and its spend logs.
//
// A line that it cannot use is never passed over in silence: it says why.
package trafficlog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

// Call is one call of a model.
type Call struct {
	At       time.Time // when it began; zero where the log does not say
	User     string    // on whose behalf; "" where the log does not say
	Model    string    // as it was asked for
	Served   string    // as the answer calls it; "" where the log does not say
	Provider string    // LiteLLM's name of it; "" where the log does not say
	Ask      llm.Request
	Usage    llm.Usage
	Billed   *pricing.Nanos // what the log says that it cost
}

// UnusableError says why a line is not a call that can be used. Reason is one
// of few, so that lines can be counted by it; Detail is about this line.
type UnusableError struct{ Reason, Detail string }

func (e *UnusableError) Error() string {
	if e.Detail == "" {
		return e.Reason
	}
	return e.Reason + ": " + e.Detail
}

func unusable(reason string) error { return &UnusableError{Reason: reason} }

// maxLine bounds what is held of one line, in bytes.
const maxLine = 64 << 20

// Read calls each for every line that is not blank, with its number from 1 on
// and with either a call or an *UnusableError. It holds one line at a time, and
// stops at the first error that each returns.
func Read(r io.Reader, each func(line int, c Call, unusable *UnusableError) error) error {
	in := bufio.NewReaderSize(r, 1<<20)
	var line []byte
	for n := 1; ; n++ {
		var long bool
		var err error
		line, long, err = readLine(in, line[:0])
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if text := bytes.TrimSpace(line); len(text) > 0 || long {
			if err := tell(n, text, long, each); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

func tell(n int, text []byte, long bool, each func(int, Call, *UnusableError) error) error {
	if long {
		return each(n, Call{}, &UnusableError{Reason: fmt.Sprintf("longer than %d MiB", maxLine>>20)})
	}
	c, err := Parse(text)
	var why *UnusableError
	if err != nil && !errors.As(err, &why) {
		why = &UnusableError{Reason: "it cannot be read", Detail: err.Error()}
	}
	return each(n, c, why)
}

// readLine appends a line to line, without what is beyond maxLine.
func readLine(in *bufio.Reader, line []byte) (whole []byte, long bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) <= maxLine {
			line = append(line, part...)
		} else {
			long = true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, long, err
		}
	}
}

// Parse reads one line. Its error is an *UnusableError.
func Parse(line []byte) (Call, error) {
	if !gjson.ValidBytes(line) {
		return Call{}, unusable("no JSON")
	}
	doc := gjson.ParseBytes(line)
	if !doc.IsObject() {
		return Call{}, unusable("not an object: one call a line is wanted")
	}
	if inner := firstObject(doc, "standard_logging_object", "standard_logging_payload"); inner.Exists() {
		doc = inner
	}
	for _, path := range []string{"body", "request.body", "request"} {
		if body := doc.Get(path); asks(body) {
			return openAI(doc, body)
		}
	}
	switch {
	case isLiteLLM(doc):
		return liteLLM(doc)
	case asks(doc):
		return openAI(doc, doc)
	case doc.Get("custom_id").Exists() && doc.Get("response").IsObject():
		return Call{}, unusable("an answer without its request: join a batch's output with its input by custom_id")
	}
	return Call{}, unusable("neither OpenAI's shape nor LiteLLM's")
}

func firstObject(doc gjson.Result, paths ...string) gjson.Result {
	for _, p := range paths {
		if v := doc.Get(p); v.IsObject() {
			return v
		}
	}
	return gjson.Result{}
}

// first is the first of the members that says something.
func first(doc gjson.Result, paths ...string) gjson.Result {
	for _, p := range paths {
		if v := doc.Get(p); v.Exists() && v.Type != gjson.Null && v.Raw != `""` {
			return v
		}
	}
	return gjson.Result{}
}

// asks reports whether an object is what a model is asked.
func asks(v gjson.Result) bool {
	return v.IsObject() && (v.Get("messages").IsArray() || v.Get("input").Exists())
}

// text is a member's text; "" for anything else.
func text(v gjson.Result) string {
	if v.Type == gjson.String {
		return v.Str
	}
	return ""
}

// moment reads Unix seconds, or a time in one of the ways that logs write it.
func moment(v gjson.Result) time.Time {
	if v.Type == gjson.Number && v.Num > 0 && v.Num < 1e14 {
		seconds := v.Num
		if seconds > 1e11 { // milliseconds
			seconds /= 1000
		}
		whole, part := math.Modf(seconds)
		return time.Unix(int64(whole), int64(part*1e9)).UTC()
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if at, err := time.Parse(layout, strings.TrimSpace(text(v))); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
