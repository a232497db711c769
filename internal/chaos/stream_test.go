package chaos

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Streams that must not be are told from those that may be, in both forms.
func TestStreamIsJudged(t *testing.T) {
	t.Parallel()
	const (
		delta   = "event: delta\ndata: {\"text\":\"Answer to r-1, piece by \"}\n\n"
		rest    = "event: delta\ndata: {\"text\":\"piece by piece.\"}\n\n"
		done    = "event: completion\ndata: {\"request_id\":\"1\",\"response\":\"Answer to r-1, piece by piece by piece.\"}\n\n"
		failed  = "event: error\ndata: {\"title\":\"Bad Gateway\"}\n\n"
		word    = "data: {\"choices\":[{\"delta\":{\"content\":\"Answer to r-1, piece by \"}}]}\n\n"
		words   = "data: {\"choices\":[{\"delta\":{\"content\":\"piece by piece.\"}}]}\n\n"
		usage   = "data: {\"choices\":[],\"usage\":{\"cost_usd\":1}}\n\n"
		allDone = "data: [DONE]\n\n"
		broke   = "data: {\"error\":{\"message\":\"no\"}}\n\n"
	)
	for name, c := range map[string]struct {
		form   form
		text   string
		broke  bool // the connection did, behind text
		killed bool
		end    ending
		wrong  bool
	}{
		"whole":                   {plainStream, delta + rest + done, false, false, wholly, false},
		"whole, then killed":      {plainStream, delta + rest + done, true, true, wholly, false},
		"failed":                  {plainStream, delta + failed, false, false, failure, false},
		"killed":                  {plainStream, delta, true, true, silence, false},
		"silent":                  {plainStream, delta, false, false, silence, true},
		"silent in a kill":        {plainStream, delta, false, true, silence, true},
		"broken":                  {plainStream, delta, true, false, silence, true},
		"whole behind an error":   {plainStream, delta + failed + done, false, false, failure, true},
		"a piece is missing":      {plainStream, delta + done, false, false, wholly, true},
		"a piece behind the end":  {plainStream, delta + rest + done + rest, false, false, wholly, true},
		"chat, whole":             {chatStream, word + words + usage + allDone, false, false, wholly, false},
		"chat, failed":            {chatStream, word + broke, false, false, failure, false},
		"chat, killed":            {chatStream, word, true, true, silence, false},
		"chat, silent":            {chatStream, word + words, false, false, silence, true},
		"chat, broken":            {chatStream, word + words, true, false, silence, true},
		"chat, done behind error": {chatStream, word + broke + allDone, false, false, failure, true},
		"chat, a piece too few":   {chatStream, word + usage + allDone, false, false, wholly, true},
		"chat, no JSON":           {chatStream, "data: oops\n\n" + allDone, false, false, silence, true},
		"chat, a foreign event":   {chatStream, delta + allDone, false, false, silence, true},
	} {
		var in io.Reader = strings.NewReader(c.text)
		if c.broke {
			in = io.MultiReader(in, iotest.ErrReader(errors.New("connection reset")))
		}
		s, begun := &stream{form: c.form, id: "1"}, 0
		end := s.hear(in, func() { begun++ })
		if err := s.judge("r-1", end, c.killed); (err != nil) != c.wrong || s.end != c.end || begun != 1 {
			t.Errorf("%s: %v, end %d, begun %d times", name, err, s.end, begun)
		}
	}
}

// What a stream that broke off may be stored as.
func TestBrokenIsStoredAs(t *testing.T) {
	t.Parallel()
	for marker, status := range map[string]map[string]bool{
		markerThat(t, true):  {"ok": true, "canceled": true, "interrupted": true, "error": true},
		markerThat(t, false): {"ok": true, "canceled": true, "interrupted": true},
	} {
		for _, told := range []bool{false, true} {
			b := broken{marker: marker, told: told}
			got := map[string]bool{}
			for _, s := range b.mayBe() {
				got[s] = true
			}
			for _, s := range []string{"ok", "canceled", "interrupted", "error", "cut_off"} {
				if want := status[s] && (s != "ok" || !told); got[s] != want {
					t.Errorf("told %t: %s %t", told, s, got[s])
				}
			}
		}
	}
}

// markerThat finds a request whose stream breaks off at the provider, or does not.
func markerThat(t *testing.T, breaks bool) string {
	for i := range 10_000 {
		if marker := strings.Repeat("x", i%100) + string(rune('a'+i/100)); breaksOff(marker) == breaks {
			return marker
		}
	}
	t.Fatal("there is none")
	return ""
}
