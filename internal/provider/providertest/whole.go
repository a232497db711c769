package providertest

import (
	"io"
	"net/http"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// whole is answers that come at once.
func (s suite) whole() cases {
	c := cases{
		"byte by byte":         s.wholeSlowly,
		"another content type": s.wholeAsText,
		"repeated on one wire": s.wholeTwice,
		"usage with caches":    func(t *testing.T) { s.wholeIs(t, s.cachedAnswer()) },
		"usage with reasoning": func(t *testing.T) { s.wholeIs(t, s.reasonedAnswer()) },
		"tool calls":           func(t *testing.T) { s.wholeIs(t, s.toolAnswer()) },
		"text beside tools":    func(t *testing.T) { s.wholeIs(t, s.talkingToolAnswer()) },
		"letters of the world": func(t *testing.T) { s.wholeIs(t, s.strangeAnswer()) },
	}
	for _, finish := range []string{llm.FinishStop, llm.FinishLength, llm.FinishContentFilter} {
		c["finish "+finish] = func(t *testing.T) {
			a := s.answer()
			a.Finish = finish
			s.wholeIs(t, a)
		}
	}
	return c
}

// wholeIs has the vendor say want and expects to hear it.
func (s suite) wholeIs(t *testing.T, want Answer) {
	f := s.fake(t, say(http.StatusOK, s.Wire.Whole(want)))
	got, err := f.provider.Complete(within(t), s.question())
	s.mustBe(t, got, err, want)
	f.only(t)
}

// cachedAnswer used prompt tokens of three prices. Vendors count them beside
// or inside one another; In is all of them.
func (s suite) cachedAnswer() Answer {
	a := s.answer()
	a.Usage = s.able(llm.Usage{In: 2000, CachedIn: 1024, CacheWriteIn: 512, Out: 30})
	return a
}

func (s suite) reasonedAnswer() Answer {
	a := s.answer()
	a.Usage = s.able(llm.Usage{In: 40, Out: 300, Reasoning: 256})
	return a
}

func (s suite) toolAnswer() Answer {
	a := s.answer()
	a.Pieces, a.Finish = nil, llm.FinishToolCalls
	a.ToolCalls = []llm.ToolCall{
		{ID: "call_a", Name: "get_weather", Arguments: `{"city":"Lima","days":[1,2.50,"\"é\""]}`},
		{ID: "call_b", Name: "get_time", Arguments: `{}`},
	}
	return a
}

func (s suite) talkingToolAnswer() Answer {
	a := s.toolAnswer()
	a.Pieces = []string{"Let me ", "look."}
	return a
}

func (s suite) strangeAnswer() Answer {
	a := s.answer()
	a.Pieces = []string{"é 漢字 🙂 ", "\"quoted\" \\ \n\t</script> & \u2028", "\r\n data: x\n\n"}
	return a
}

func (s suite) wholeSlowly(t *testing.T) {
	want := s.strangeAnswer()
	f := s.fake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, b := range []byte(s.Wire.Whole(want)) {
			push(w, string([]byte{b}))
		}
	})
	got, err := f.provider.Complete(within(t), s.question())
	s.mustBe(t, got, err, want)
}

// wholeAsText: gateways between label answers as they like.
func (s suite) wholeAsText(t *testing.T) {
	f := s.fake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, s.Wire.Whole(s.answer()))
	})
	got, err := f.provider.Complete(within(t), s.question())
	s.mustBe(t, got, err, s.answer())
}

// wholeTwice: an answer read to its end leaves the connection to the next.
func (s suite) wholeTwice(t *testing.T) {
	clients := map[string]bool{}
	f := s.fake(t, func(w http.ResponseWriter, r *http.Request) {
		clients[r.RemoteAddr] = true // one request at a time
		say(http.StatusOK, s.Wire.Whole(s.answer()))(w, r)
	})
	for range 5 {
		got, err := f.provider.Complete(within(t), s.question())
		s.mustBe(t, got, err, s.answer())
	}
	if len(clients) != 1 {
		t.Errorf("five calls opened %d connections", len(clients))
	}
}
