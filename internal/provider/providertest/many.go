package providertest

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sync"
	"testing"
)

// fiftyAtOnce: callers share a provider and nothing else. Each asks by number,
// and must hear its own number only.
func (s suite) fiftyAtOnce(t *testing.T) {
	number := regexp.MustCompile(`number-\d+-(whole|streamed)`)
	f := s.fake(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked := number.FindSubmatch(body)
		if asked == nil {
			t.Errorf("no number is in %s", body)
			return
		}
		if a := s.numbered(string(asked[0])); string(asked[1]) == "whole" {
			say(http.StatusOK, s.Wire.Whole(a))(w, r)
		} else {
			stream(s.Wire.Stream(a), nil)(w, r)
		}
	})
	var callers sync.WaitGroup
	for i := range 50 {
		callers.Go(func() {
			r, ctx := s.question(), within(t)
			if i%2 == 0 {
				r.Messages[0].Content = fmt.Sprintf("number-%d-whole", i)
				got, err := f.provider.Complete(ctx, r)
				s.mustBeThis(t, r.Messages[0].Content, got.Text, err)
				return
			}
			r.Messages[0].Content = fmt.Sprintf("number-%d-streamed", i)
			got, _, err := s.call(ctx, t, f.provider, r, nil)
			s.mustBeThis(t, r.Messages[0].Content, got.Text, err)
		})
	}
	callers.Wait()
}

func (s suite) mustBeThis(t *testing.T, number, text string, err error) {
	t.Helper()
	if want := s.numbered(number).Text(); err != nil || text != want {
		t.Errorf("heard %q, %v, want %q", text, err, want)
	}
}

func (s suite) numbered(number string) Answer {
	a := s.answer()
	a.Pieces = []string{number + "a ", number + "b ", number + "c"}
	return a
}
