package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/busuhq/busu/internal/sse"
)

// form is how an answer is asked for.
type form int

const (
	whole       form = iota // POST /complete
	plainStream             // the same, in pieces
	chatStream              // POST /v1/chat/completions, in pieces
)

// formOf makes every other request at each API a stream, in turn of either kind.
func formOf(n int) form {
	return [...]form{whole, plainStream, whole, chatStream}[n/2%4]
}

// maxTokens is above what the provider writes at most, by so much that a prompt
// of which it counts more tokens than anybody estimates costs no more than was
// put by.
const maxTokens = 250

// request is one of this form, of a user.
func (f form) request(ctx context.Context, url, user, prompt string) (*http.Request, error) {
	path, asked := "/complete", map[string]any{"prompt": prompt, "user_id": user, "max_tokens": maxTokens, "stream": f != whole}
	if f == chatStream {
		path, asked = "/v1/chat/completions", map[string]any{"model": "auto", "user": user, "max_tokens": maxTokens, "stream": true,
			"messages": []any{map[string]any{"role": "user", "content": prompt}}}
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, bytes.NewReader(body))
	if err == nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, err
}

// stream is a streamed answer as its client hears it.
type stream struct {
	form form
	id   string // of its request
	text string // that has come
	end  ending
}

// ending is how the client was told that a stream is over.
type ending int

const (
	silence ending = iota // it was not
	wholly                // the answer is whole
	failure               // it is not, and an error said so
)

// hear listens until nothing more comes, and fails with what the connection
// ended with, nil for a good end. begun is called when there is an answer.
func (s *stream) hear(in io.Reader, begun func()) error {
	events := sse.NewReader(in)
	for {
		e, err := events.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if begun != nil {
			begun()
			begun = nil
		}
		if s.end != silence {
			return &wrongPiece{fmt.Sprintf("behind the end comes %.200q", e.Data)}
		}
		if err := s.take(e); err != nil {
			return err
		}
	}
}

// wrongPiece is what must not come in a stream.
type wrongPiece struct{ what string }

func (w *wrongPiece) Error() string { return w.what }

// take reads an event.
func (s *stream) take(e sse.Event) error {
	switch {
	case s.form == chatStream && e.Name == "":
		return s.takeChat(e.Data)
	case s.form == plainStream && e.Name == "delta":
		var delta struct{ Text string }
		if err := read(e.Data, &delta); err != nil {
			return err
		}
		s.text += delta.Text
	case s.form == plainStream && e.Name == "completion":
		s.end = wholly
		var told completion
		if err := read(e.Data, &told); err != nil || told != (completion{s.id, s.text}) {
			return &wrongPiece{fmt.Sprintf("%q ends with %.200q", s.text, e.Data)}
		}
	case s.form == plainStream && e.Name == "error":
		s.end = failure
	default:
		return &wrongPiece{fmt.Sprintf("an event %q: %.200q", e.Name, e.Data)}
	}
	return nil
}

func (s *stream) takeChat(data []byte) error {
	if string(data) == "[DONE]" {
		s.end = wholly
		return nil
	}
	var chunk struct {
		Choices []struct {
			Delta struct{ Content string }
		}
		Error any
	}
	if err := read(data, &chunk); err != nil {
		return err
	}
	if chunk.Error != nil {
		s.end = failure
	}
	for _, c := range chunk.Choices {
		s.text += c.Delta.Content
	}
	return nil
}

func read(data []byte, to any) error {
	if err := json.Unmarshal(data, to); err != nil {
		return &wrongPiece{fmt.Sprintf("%v: %.200q", err, data)}
	}
	return nil
}

// broken is a stream that broke off.
type broken struct {
	marker string
	told   bool // the client was told so; else its process was killed
}

// listen hears a stream out, notes how it ended, and gives its status, 0 when
// it broke off.
func (l *load) listen(server *life, f form, marker string, response *http.Response) int {
	began, s := false, &stream{form: f, id: response.Header.Get("X-Request-Id")}
	err := s.hear(response.Body, func() {
		l.streaming.Add(1)
		began = true
	})
	if began {
		l.streaming.Add(-1)
	}
	if err := s.judge(marker, err, server.killed.Load()); err != nil {
		l.note("%s: a stream, %s: %v", marker, s.id, err)
		return 0
	}
	if s.end == wholly {
		l.remember(s.id, answer{marker: marker, status: http.StatusOK, stream: true})
		return http.StatusOK
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claim(s.id, marker)
	l.broken[s.id] = broken{marker: marker, told: s.end == failure}
	return 0
}

// judge says what is wrong with how a stream ended. Only a kill may end one
// without a word, and that breaks the connection.
func (s *stream) judge(marker string, end error, killed bool) error {
	_, wrong := errors.AsType[*wrongPiece](end)
	switch {
	case wrong:
		return end
	case s.id == "":
		return errors.New("has no request id")
	case s.end == wholly && s.text != answerTo(marker):
		return fmt.Errorf("ended as a whole one with %q", s.text)
	case s.end == silence && end == nil:
		return fmt.Errorf("ended without a word behind %q", s.text)
	case s.end == silence && !killed:
		return fmt.Errorf("broke off behind %q while its process lived: %w", s.text, end)
	}
	return nil
}
