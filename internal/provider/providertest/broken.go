package providertest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// brokenStream is streams that end badly. What came before is returned beside
// the error: it has been shown, and is paid for.
func (s suite) brokenStream() cases {
	return cases{
		"hung up":             func(t *testing.T) { s.cutAnywhere(t, hangUp) },
		"ended early":         func(t *testing.T) { s.cutAnywhere(t, func() {}) },
		"hung up in a frame":  func(t *testing.T) { s.cutInFrame(t, hangUp) },
		"ended in a frame":    func(t *testing.T) { s.cutInFrame(t, func() {}) },
		"cut in a tool call":  s.cutInToolCall,
		"malformed piece":     s.malformedPiece,
		"error in the middle": s.errorInTheMiddle,
		"error at once":       s.errorAtOnce,
		"nothing":             func(t *testing.T) { s.nothing(t, "text/event-stream", "") },
		"comments only":       func(t *testing.T) { s.nothing(t, "text/event-stream", ": hello\n\n: hello\n\n") },
		"a page":              func(t *testing.T) { s.nothing(t, "text/html", "<html>\n<h1>Welcome</h1>\n</html>\n") },
		"a JSON error":        s.jsonInsteadOfStream,
	}
}

// cutAnywhere ends the connection after each number of frames up to the last
// one that holds text.
func (s suite) cutAnywhere(t *testing.T, end func()) {
	want := s.answer()
	frames := s.Wire.Stream(want)
	so := ""
	for i, text := range s.carries(t, frames, want) {
		if so == want.Text() {
			return // what follows may end the answer
		}
		so = max(so, text)
		f := s.fake(t, func(w http.ResponseWriter, r *http.Request) {
			stream(frames[:i+1], nil)(w, r)
			end()
		})
		got, _, err := s.call(within(t), t, f.provider, s.question(), nil)
		s.mustFail(t, err, llm.ErrorUnavailable)
		if got.Text != so {
			t.Errorf("after %d frames the text is %q, want %q", i+1, got.Text, so)
		}
	}
}

// upTo is the frames up to the first with text, that text, and the next frame.
func (s suite) upTo(t *testing.T) (head []string, text, next string) {
	t.Helper()
	frames := s.Wire.Stream(s.answer())
	for i, so := range s.carries(t, frames, s.answer()) {
		if so != "" {
			return frames[:i+1], so, frames[i+1]
		}
	}
	t.Fatal("Wire.Stream has no text")
	return nil, "", ""
}

// mustEnd plays the frames of a broken stream, and expects its text so far
// beside a failure.
func (s suite) mustEnd(t *testing.T, frames []string, end func(), text string, kinds ...llm.ErrorKind) *llm.ProviderError {
	t.Helper()
	f := s.fake(t, func(w http.ResponseWriter, r *http.Request) {
		stream(frames, nil)(w, r)
		end()
	})
	got, _, err := s.call(within(t), t, f.provider, s.question(), nil)
	if got.Text != text {
		t.Errorf("what came before the end is %q, want %q", got.Text, text)
	}
	return s.mustFail(t, err, kinds...)
}

func (s suite) cutInFrame(t *testing.T, end func()) {
	head, text, next := s.upTo(t)
	half := next[:strings.Index(next, "{")+len("{\"")]
	s.mustEnd(t, append(head[:len(head):len(head)], half), end, text, llm.ErrorUnavailable, llm.ErrorMalformed)
}

func (s suite) cutInToolCall(t *testing.T) {
	want := s.toolAnswer()
	frames := s.Wire.Stream(want)
	for i, frame := range frames {
		if strings.Contains(frame, want.ToolCalls[0].Name) {
			f := s.fake(t, func(w http.ResponseWriter, r *http.Request) {
				stream(frames[:i+1], nil)(w, r)
				hangUp()
			})
			got, _, err := s.call(within(t), t, f.provider, s.question(), nil)
			s.mustFail(t, err, llm.ErrorUnavailable)
			if len(got.ToolCalls) == 0 || got.ToolCalls[0].Name != want.ToolCalls[0].Name {
				t.Errorf("the call that had begun is missing: %+v", got.ToolCalls)
			}
			return
		}
	}
	t.Fatalf("Wire.Stream has no frame with the call %q", want.ToolCalls[0].Name)
}

func (s suite) malformedPiece(t *testing.T) {
	head, text, next := s.upTo(t)
	broken := next[:strings.Index(next, "{")] + "{\"broken\":[}\n\n"
	s.mustEnd(t, append(head[:len(head):len(head)], broken, next), func() {}, text, llm.ErrorMalformed)
}

func (s suite) errorInTheMiddle(t *testing.T) {
	head, text, next := s.upTo(t)
	failed := s.mustEnd(t, append(head[:len(head):len(head)], s.Wire.ErrorFrame("too many guests"), next), func() {}, text, llm.ErrorUnavailable)
	mustQuote(t, failed, "too many guests")
}

func (s suite) errorAtOnce(t *testing.T) {
	failed := s.mustEnd(t, []string{s.Wire.ErrorFrame("too many guests")}, func() {}, "", llm.ErrorUnavailable)
	mustQuote(t, failed, "too many guests")
}

// nothing: a 200 without an answer is no answer.
func (s suite) nothing(t *testing.T, contentType, body string) {
	f := s.fake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	})
	_, heard, err := s.call(within(t), t, f.provider, s.question(), nil)
	s.mustFail(t, err, llm.ErrorUnavailable, llm.ErrorMalformed)
	if heard.text != "" || len(heard.finishes) != 0 {
		t.Errorf("pieces came out of nothing: %+v", heard)
	}
}

// jsonInsteadOfStream: a vendor that fails before it streams may still say 200.
func (s suite) jsonInsteadOfStream(t *testing.T) {
	f := s.fake(t, say(http.StatusOK, s.Wire.Error(http.StatusServiceUnavailable, "too many guests")))
	_, _, err := s.call(within(t), t, f.provider, s.question(), nil)
	mustQuote(t, s.mustFail(t, err, llm.ErrorUnavailable), "too many guests")
}

// mustQuote holds that a vendor's words are there for callers, and in no error
// that may be logged.
func mustQuote(t *testing.T, failed *llm.ProviderError, words string) {
	t.Helper()
	if !strings.Contains(failed.Said, words) || strings.Contains(failed.Error(), words) {
		t.Errorf("the vendor's words %q are not in %q, or in %v", words, failed.Said, failed)
	}
}
