package providertest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// request is what the vendor is sent. The suite knows no vendor's language:
// it looks for words, and for their order.
func (s suite) request() cases {
	c := cases{
		"a conversation": func(t *testing.T) {
			s.sent(t, s.conversation(), "first-words", "second-words", "third-words", "fourth-words")
			s.sent(t, s.conversation(), "system-words")
			for _, parameter := range []string{"0.25", "321", "stop-words"} {
				s.sent(t, s.conversation(), parameter)
			}
		},
		"the other way to sample": func(t *testing.T) { // some models refuse it beside a temperature
			r, topP := s.question(), 0.75
			r.TopP = &topP
			s.sent(t, r, "0.75")
		},
		"tools": func(t *testing.T) {
			s.sent(t, s.withTools(), "get_weather")
			s.sent(t, s.withTools(), "weather-words", "time-words")
			s.sent(t, s.withTools(), `"city"`)
		},
		"tool results": func(t *testing.T) {
			s.sent(t, s.toolResults(), "looking-words", "argument-words", "sunny-words", "after-words")
		},
		"two tool results":  func(t *testing.T) { s.sent(t, s.toolResults(), "sunny-words", "noon-words", "after-words") },
		"an image":          func(t *testing.T) { s.sent(t, s.withImage(), "before-words", pixel, "behind-words") },
		"structured output": func(t *testing.T) { s.sent(t, s.structured(), "schema_words") },
		"the named tool": func(t *testing.T) {
			r := s.withTools()
			r.ToolChoice = llm.ToolChoice{Mode: llm.ToolsNamed, Name: "get_time"}
			if with, without := s.sent(t, r, "get_time"), s.sent(t, s.withTools(), "get_time"); len(with) <= len(without) {
				t.Errorf("the choice is not in the request: %s", with)
			}
		},
		"zero is not nothing": func(t *testing.T) {
			r, zero := s.question(), 0.0
			r.Temperature = &zero
			if with, without := s.sent(t, r), s.sent(t, s.question()); len(with) <= len(without) {
				t.Errorf("the temperature 0 is not in the request: %s", with)
			}
		},
	}
	s.askTooMuch(c)
	return c
}

// askTooMuch asks for what vendors lack. It must be sent, or refused before
// anything is paid for; never left out in silence.
func (s suite) askTooMuch(c cases) {
	several := s.question()
	several.N = 2
	for name, ask := range map[string]struct {
		r     llm.Request
		lacks bool
		words string
	}{
		"an image's URL":  {withPart(s.question(), llm.Part{Kind: llm.PartImage, URL: "https://example.com/url-words.png"}), s.Lacks.ImageURLs, "url-words"},
		"audio":           {withPart(s.question(), llm.Part{Kind: llm.PartAudio, MediaType: "audio/wav", Data: pixel}), s.Lacks.Audio, pixel},
		"several answers": {several, s.Lacks.Several, "2"},
	} {
		if ask.lacks {
			c[name] = func(t *testing.T) { s.refused(t, ask.r) }
		} else {
			c[name] = func(t *testing.T) { s.sent(t, ask.r, ask.words) }
		}
	}
	c["unknown parts"] = func(t *testing.T) {
		s.sentOrRefused(t, withPart(s.question(), llm.Part{Kind: "hologram", Data: pixel}), pixel)
	}
	c["unknown roles"] = func(t *testing.T) {
		r := s.question()
		r.Messages[0].Role = "oracle"
		s.sentOrRefused(t, r, "oracle")
	}
}

func (s suite) refused(t *testing.T, r llm.Request) {
	f := s.fake(t, say(http.StatusOK, s.Wire.Whole(s.answer())))
	_, err := f.provider.Complete(within(t), r)
	if failed := s.mustFail(t, err, llm.ErrorRejected); !failed.Unsent {
		t.Errorf("nothing was asked of the vendor, and %v does not say so", err)
	}
	if n := len(f.requests()); n != 0 {
		t.Errorf("the vendor was asked %d times for what it cannot do", n)
	}
}

func (s suite) sentOrRefused(t *testing.T, r llm.Request, words string) {
	f := s.fake(t, say(http.StatusOK, s.Wire.Whole(s.answer())))
	if _, err := f.provider.Complete(within(t), r); err != nil {
		s.refused(t, r)
		return
	}
	mustHold(t, f.only(t).Body, []string{words})
}

// sent returns the body that r became; words must be in it, in this order. The
// same words must be in the body of the streamed call.
func (s suite) sent(t *testing.T, r llm.Request, words ...string) string {
	t.Helper()
	f := s.fake(t, say(http.StatusOK, s.Wire.Whole(s.answer())))
	got, err := f.provider.Complete(within(t), r)
	s.mustBe(t, got, err, s.answer())
	body := f.only(t).Body
	mustHold(t, body, words)

	f = s.fake(t, stream(s.Wire.Stream(s.answer()), nil))
	got, _, err = s.call(within(t), t, f.provider, r, nil)
	s.mustBe(t, got, err, s.answer())
	mustHold(t, f.only(t).Body, words)
	return body
}

func mustHold(t *testing.T, body string, words []string) {
	t.Helper()
	if !json.Valid([]byte(body)) {
		t.Fatalf("the request is not JSON: %s", body)
	}
	at := 0
	for _, word := range words {
		i := strings.Index(body[at:], word)
		if i < 0 {
			t.Errorf("%q is not in the request, or out of order: %s", word, body)
			return
		}
		at += i + len(word)
	}
}
