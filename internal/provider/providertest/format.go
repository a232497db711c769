package providertest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// format is bodies that are passed on, or are not.
func (s suite) format() cases {
	c := cases{}
	if s.Home == nil || s.Home.Format != llm.FormatChat {
		c["chat is translated"] = func(t *testing.T) { s.translated(t, llm.FormatChat) } // everybody speaks it
	}
	if s.Home == nil || s.Home.Format != llm.FormatMessages {
		c["messages are translated or refused"] = func(t *testing.T) {
			f := s.fake(t, say(http.StatusOK, s.Wire.Whole(s.answer())))
			if _, err := f.provider.Complete(within(t), s.inFormat(llm.FormatMessages)); err != nil {
				s.refused(t, s.inFormat(llm.FormatMessages))
				return
			}
			s.translated(t, llm.FormatMessages)
		}
	}
	if s.Home != nil {
		c["a body goes on as it is"] = s.passedOn
		c["a stream goes on as it is"] = s.streamPassedOn
		c["no body is made up"] = s.madeUp
	}
	return c
}

// inFormat is a question whose body says nothing of what its fields say.
func (s suite) inFormat(format llm.Format) llm.Request {
	r := s.question()
	r.Format, r.Body = format, []byte(`{"model":"callers-name","body_words":1}`)
	return r
}

// translated: a body in a foreign format is another vendor's business.
func (s suite) translated(t *testing.T, format llm.Format) {
	r := s.inFormat(format)
	f := s.fake(t, say(http.StatusOK, s.Wire.Whole(s.answer())))
	got, err := f.provider.Complete(within(t), r)
	s.mustBe(t, got, err, s.answer())
	if got.Body != nil {
		t.Errorf("the vendor's own body came back: %s", got.Body)
	}
	if body := f.only(t).Body; strings.Contains(body, "body_words") || !strings.Contains(body, "Peru") {
		t.Errorf("the request is not made of its fields: %s", body)
	}
	f = s.fake(t, stream(s.Wire.Stream(s.answer()), nil))
	got, heard, err := s.call(within(t), t, f.provider, r, nil)
	s.mustBe(t, got, err, s.answer())
	if len(heard.data) != 0 {
		t.Errorf("the vendor's own pieces came: %q", heard.data)
	}
}

// home is a request with a body of its own.
func (s suite) home(body string) llm.Request {
	r := s.question()
	r.Format, r.Body = s.Home.Format, []byte(body)
	return r
}

func (s suite) passedOn(t *testing.T) {
	f := s.fake(t, say(http.StatusOK, s.Wire.Whole(s.cachedAnswer())))
	got, err := f.provider.Complete(within(t), s.home(s.Home.Body))
	s.mustBe(t, got, err, s.cachedAnswer())
	if want := strings.Replace(s.Home.Body, "callers-name", s.Model, 1); f.only(t).Body != want {
		t.Errorf("sent\n%s\nwant\n%s", f.only(t).Body, want)
	}
	if string(got.Body) != s.Wire.Whole(s.cachedAnswer()) {
		t.Errorf("the body came back as\n%s\nwant\n%s", got.Body, s.Wire.Whole(s.cachedAnswer()))
	}
}

// streamPassedOn: the data of every frame with text comes untouched, in order.
// What a provider adds to a streamed body (such as a wish for usage) is its own
// test's business; all that the caller wrote must be there.
func (s suite) streamPassedOn(t *testing.T) {
	frames := s.Wire.Stream(s.cachedAnswer())
	f := s.fake(t, stream(frames, nil))
	body := s.home(s.Home.Stream)
	before := string(body.Body)
	got, heard, err := s.call(within(t), t, f.provider, body, nil)
	s.mustBe(t, got, err, s.cachedAnswer())
	if string(body.Body) != before {
		t.Errorf("the caller's body was changed: %s", body.Body)
	}
	if want := strings.TrimSuffix(strings.Replace(s.Home.Stream, "callers-name", s.Model, 1), "}"); !strings.HasPrefix(f.only(t).Body, want) {
		t.Errorf("sent\n%s\nwant\n%s", f.only(t).Body, want)
	}
	at := 0
	for i, text := range s.carries(t, frames, s.cachedAnswer()) {
		if text == "" {
			continue
		}
		for at < len(heard.data) && !strings.Contains(frames[i], heard.data[at]) {
			at++
		}
		if at == len(heard.data) {
			t.Fatalf("the frame %q did not come: %q", frames[i], heard.data)
		}
		at++
	}
}

// madeUp: at home, too, a request may come without a body.
func (s suite) madeUp(t *testing.T) {
	r := s.question()
	r.Format = s.Home.Format
	f := s.fake(t, say(http.StatusOK, s.Wire.Whole(s.answer())))
	got, err := f.provider.Complete(within(t), r)
	s.mustBe(t, got, err, s.answer())
	mustHold(t, f.only(t).Body, []string{"Capital of Peru?"})
}
