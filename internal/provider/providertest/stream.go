package providertest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// stream is answers that come in pieces.
func (s suite) stream() cases {
	c := cases{
		"asked for":            s.askedFor,
		"piece by piece":       s.asItComes,
		"byte by byte":         s.streamSlowly,
		"windows line ends":    s.streamWindows,
		"comments between":     s.streamWithComments,
		"the last frame":       s.streamEnds,
		"usage with caches":    func(t *testing.T) { s.streamIs(t, s.cachedAnswer()) },
		"usage with reasoning": func(t *testing.T) { s.streamIs(t, s.reasonedAnswer()) },
		"tool calls":           func(t *testing.T) { s.streamIs(t, s.toolAnswer()) },
		"text beside tools":    func(t *testing.T) { s.streamIs(t, s.talkingToolAnswer()) },
		"letters of the world": func(t *testing.T) { s.streamIs(t, s.strangeAnswer()) },
		"a long answer":        func(t *testing.T) { s.streamIs(t, s.longAnswer()) },
	}
	for _, finish := range []string{llm.FinishStop, llm.FinishLength, llm.FinishContentFilter} {
		c["finish "+finish] = func(t *testing.T) {
			a := s.answer()
			a.Finish = finish
			s.streamIs(t, a)
		}
	}
	return c
}

// askedFor: a vendor is asked for a stream otherwise than for a whole answer.
func (s suite) askedFor(t *testing.T) {
	f := s.fake(t, say(http.StatusOK, s.Wire.Whole(s.answer())))
	if _, err := f.provider.Complete(within(t), s.question()); err != nil {
		t.Fatal(err)
	}
	whole := f.only(t)
	f = s.fake(t, stream(s.Wire.Stream(s.answer()), nil))
	if _, _, err := s.call(within(t), t, f.provider, s.question(), nil); err != nil {
		t.Fatal(err)
	}
	if streamed := f.only(t); streamed.URL == whole.URL && streamed.Body == whole.Body {
		t.Errorf("both are asked for by %s %s", whole.URL, whole.Body)
	}
}

// streamIs has the vendor stream want and expects to hear it.
func (s suite) streamIs(t *testing.T, want Answer) {
	s.scriptIs(t, stream(s.Wire.Stream(want), nil), want)
}

func (s suite) scriptIs(t *testing.T, answer script, want Answer) {
	t.Helper()
	f := s.fake(t, answer)
	got, heard, err := s.call(within(t), t, f.provider, s.question(), nil)
	s.mustBe(t, got, err, want)
	if heard.usage == nil || *heard.usage != want.Usage {
		t.Errorf("the pieces told the usage %+v, want %+v", heard.usage, want.Usage)
	}
	f.only(t)
}

func (s suite) longAnswer() Answer {
	a := s.answer()
	a.Pieces = nil
	for i := range 150 {
		a.Pieces = append(a.Pieces, fmt.Sprintf("<%d> ", i), strings.Repeat("long ", i))
	}
	return a
}

// asItComes: the vendor sends a piece, and the next only when the last one was
// heard. A provider that collects would wait for ever.
func (s suite) asItComes(t *testing.T) {
	want := s.answer()
	frames := s.Wire.Stream(want)
	carries := s.carries(t, frames, want)
	heardSo := make(chan string, 1000)
	f := s.fake(t, stream(frames, func(r *http.Request, i int) {
		if carries[i] == "" {
			return
		}
		for {
			select {
			case text := <-heardSo:
				if text == carries[i] {
					return
				}
			case <-r.Context().Done():
				t.Errorf("%q was not heard before the next piece came", carries[i])
				return
			}
		}
	}))
	got, heard, err := s.call(within(t), t, f.provider, s.question(), func(so sum) error {
		heardSo <- so.text
		return nil
	})
	s.mustBe(t, got, err, want)
	if heard.pieces < len(want.Pieces) {
		t.Errorf("%d pieces became %d", len(want.Pieces), heard.pieces)
	}
}

// carries says for each frame that holds a piece of the text how much text
// there is with it; "" for the others.
func (s suite) carries(t *testing.T, frames []string, a Answer) []string {
	t.Helper()
	so, piece := make([]string, len(frames)), 0
	for i, frame := range frames {
		if piece < len(a.Pieces) && strings.Contains(frame, a.Pieces[piece]) {
			piece++
			so[i] = strings.Join(a.Pieces[:piece], "")
		}
	}
	if piece < len(a.Pieces) {
		t.Fatalf("Wire.Stream has no frame for %q: %q", a.Pieces[piece], frames)
	}
	return so
}

func (s suite) streamSlowly(t *testing.T) {
	want := s.talkingToolAnswer()
	s.scriptIs(t, func(w http.ResponseWriter, _ *http.Request) {
		beginStream(w)
		for _, b := range []byte(strings.Join(s.Wire.Stream(want), "")) {
			push(w, string([]byte{b}))
		}
	}, want)
}

func (s suite) streamWindows(t *testing.T) {
	want := s.answer()
	var frames []string
	for _, frame := range s.Wire.Stream(want) {
		frames = append(frames, strings.ReplaceAll(frame, "\n", "\r\n"))
	}
	s.scriptIs(t, stream(frames, nil), want)
}

// streamWithComments: what keeps connections alive is no piece of an answer.
func (s suite) streamWithComments(t *testing.T) {
	want := s.answer()
	frames := []string{": connected\n\n"}
	for _, frame := range s.Wire.Stream(want) {
		frames = append(frames, ": PROCESSING\n\n", frame)
	}
	s.scriptIs(t, stream(frames, nil), want)
}

// streamEnds: some servers keep the connection open after the last frame.
func (s suite) streamEnds(t *testing.T) {
	want := s.answer()
	if s.Lacks.LastFrame {
		s.streamIs(t, want)
		return
	}
	left := make(chan struct{})
	s.scriptIs(t, func(w http.ResponseWriter, r *http.Request) {
		stream(s.Wire.Stream(want), nil)(w, r)
		<-r.Context().Done()
		close(left)
	}, want)
	await(t, left, "the connection was not given up after the last frame")
}
