package providertest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// most is how much of an endless body a provider may read before it gives up,
// in bytes.
const most = 128 << 20

// bounds is vendors that never stop talking.
func (s suite) bounds() cases {
	filler := strings.Repeat("x", 64<<10)
	return cases{
		"endless answer": func(t *testing.T) {
			f := s.fake(t, s.endless(t, http.StatusOK, "application/json", `{"padding":"`, filler))
			_, err := f.provider.Complete(within(t), s.question())
			s.mustFail(t, err, llm.ErrorMalformed)
		},
		"endless error": func(t *testing.T) {
			f := s.fake(t, s.endless(t, http.StatusInternalServerError, "application/json", `{"error":{"message":"`, filler))
			_, err := f.provider.Complete(within(t), s.question())
			s.mustFail(t, err, llm.ErrorUnavailable)
		},
		"endless line": func(t *testing.T) {
			f := s.fake(t, s.endless(t, http.StatusOK, "text/event-stream", `data: {"padding":"`, filler))
			_, _, err := s.call(within(t), t, f.provider, s.question(), nil)
			s.mustFail(t, err, llm.ErrorMalformed)
		},
		"endless event": func(t *testing.T) {
			f := s.fake(t, s.endless(t, http.StatusOK, "text/event-stream", "", "data: "+filler+"\n"))
			_, _, err := s.call(within(t), t, f.provider, s.question(), nil)
			s.mustFail(t, err, llm.ErrorMalformed)
		},
		"endless text": s.endlessText,
	}
}

// endless begins and goes on until the client leaves, as it must.
func (s suite) endless(t *testing.T, status int, contentType, begin, more string) script {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, begin)
		for sent := 0; sent < most; sent += len(more) {
			if _, err := io.WriteString(w, more); err != nil {
				return
			}
		}
		t.Errorf("the provider read more than %d MiB", most>>20)
	}
}

// endlessText: each piece is small and well formed; together they are too much.
func (s suite) endlessText(t *testing.T) {
	piece := strings.Repeat("long ", 10_000)
	a := s.answer()
	a.Pieces = []string{piece}
	var begin []string
	for _, frame := range s.Wire.Stream(a) {
		if begin = append(begin, frame); strings.Contains(frame, piece) {
			break
		}
	}
	f := s.fake(t, s.endless(t, http.StatusOK, "text/event-stream", strings.Join(begin, ""), begin[len(begin)-1]))
	got, _, err := s.call(within(t), t, f.provider, s.question(), nil)
	s.mustFail(t, err, llm.ErrorMalformed)
	if !strings.HasPrefix(got.Text, piece) {
		t.Errorf("what had been received is missing: %d bytes are left", len(got.Text))
	}
}
