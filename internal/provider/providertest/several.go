package providertest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// several is answers to requests for more than one. The fields are the first
// one's; a vendor's own body or pieces hold the others, or else Others do.
func (s suite) several() cases {
	if s.Lacks.Several {
		return nil // askTooMuch has it refused
	}
	return cases{"whole": s.severalWhole, "streamed": s.severalStreamed}
}

func (s suite) threeAnswers() (llm.Request, Answer) {
	r, a := s.question(), s.answer()
	r.N, a.Others = 3, []string{"Cusco, once.", "It is Lima."}
	return r, a
}

func (s suite) severalWhole(t *testing.T) {
	r, want := s.threeAnswers()
	f := s.fake(t, say(http.StatusOK, s.Wire.Whole(want)))
	got, err := f.provider.Complete(within(t), r)
	s.mustBe(t, got, err, want)
	f.only(t)
	if got.Body != nil {
		for _, text := range want.Others {
			if !strings.Contains(string(got.Body), text) {
				t.Errorf("%q is not in %s", text, got.Body)
			}
		}
		return
	}
	if len(got.Others) != len(want.Others) {
		t.Fatalf("%d other answers, want %d", len(got.Others), len(want.Others))
	}
	for i, text := range want.Others {
		if o := got.Others[i]; o.Index != i+1 || o.Text != text || o.FinishReason != llm.FinishStop {
			t.Errorf("got %+v, want %q at %d", o, text, i+1)
		}
	}
}

func (s suite) severalStreamed(t *testing.T) {
	r, want := s.threeAnswers()
	f := s.fake(t, stream(s.Wire.Stream(want), nil))
	var data strings.Builder
	heard := make([]llm.Other, len(want.Others))
	begun := make([]int, len(want.Others))
	r.Emit = func(c llm.Chunk) error {
		data.Write(c.Data)
		for _, o := range c.Others {
			if c.Data != nil || o.Index < 1 || o.Index > len(heard) || heard[o.Index-1].FinishReason != "" {
				t.Errorf("%+v is out of place", o)
				continue
			}
			if o.First {
				begun[o.Index-1]++
			}
			heard[o.Index-1].Text += o.Text
			heard[o.Index-1].FinishReason = o.FinishReason
		}
		return nil
	}
	got, err := f.provider.Complete(within(t), r)
	s.mustBe(t, got, err, want)
	f.only(t)
	for i, text := range want.Others {
		if o := heard[i]; !strings.Contains(data.String(), text) && (o.Text != text || o.FinishReason != llm.FinishStop || begun[i] != 1) {
			t.Errorf("heard %+v, begun %d times, and %q as the vendor wrote it; want %q", o, begun[i], data.String(), text)
		}
	}
}
