package providertest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// end is callers who leave, and deadlines that pass: the vendor must see the
// connection close, since it generates, and charges, as long as it is open.
func (s suite) end() cases {
	c := cases{"the listener leaves": s.leaves}
	for how, kind := range map[error]llm.ErrorKind{context.Canceled: llm.ErrorCanceled, context.DeadlineExceeded: llm.ErrorTimeout} {
		end := func(streamed bool, begin func(http.ResponseWriter)) func(*testing.T) {
			return func(t *testing.T) { s.ends(t, how, kind, streamed, begin) }
		}
		c[string(kind)+" before the header"] = end(false, nil)
		c[string(kind)+" before the stream's header"] = end(true, nil)
		c[string(kind)+" in the answer"] = end(false, func(w http.ResponseWriter) { push(w, s.Wire.Whole(s.answer())[:20]) })
		c[string(kind)+" at the stream's beginning"] = end(true, beginStream)
		c[string(kind)+" in an error"] = end(false, func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusInternalServerError)
			push(w, `{"error":{`)
		})
		c[string(kind)+" in the stream"] = func(t *testing.T) { s.endsInStream(t, how, kind) }
	}
	return c
}

// ends ends a call in how when the client hears the vendor begin, or, where it
// does not begin, when the vendor was asked.
func (s suite) ends(t *testing.T, how error, kind llm.ErrorKind, streamed bool, begin func(http.ResponseWriter)) {
	const times = 20 // since nobody sees from outside how far the client has read
	for range times {
		s.endsOnce(t, how, kind, streamed, begin)
	}
}

func (s suite) endsOnce(t *testing.T, how error, kind llm.ErrorKind, streamed bool, begin func(http.ResponseWriter)) {
	heard := make(chan struct{}, 1)
	parent := httptrace.WithClientTrace(within(t), &httptrace.ClientTrace{GotFirstResponseByte: func() { heard <- struct{}{} }})
	ctx := newEnding(parent, how)
	closed := make(chan struct{})
	f := s.fake(t, func(w http.ResponseWriter, r *http.Request) {
		if begin != nil {
			begin(w)
			await(t, heard, "the client does not hear the vendor, or makes its request without the caller's context")
		}
		ctx.end()
		<-r.Context().Done()
		close(closed)
	})
	r := s.question()
	if streamed {
		r.Emit = func(c llm.Chunk) error { t.Errorf("a piece came out of nothing: %+v", c); return nil }
	}
	_, err := f.provider.Complete(ctx, r)
	s.mustEndWith(t, err, how, kind)
	await(t, closed, "the vendor did not see the connection close")
}

func (s suite) mustEndWith(t *testing.T, err, how error, kind llm.ErrorKind) {
	t.Helper()
	if s.mustFail(t, err, kind); !errors.Is(err, how) {
		t.Errorf("%v is not in %v", how, err)
	}
}

func (s suite) endsInStream(t *testing.T, how error, kind llm.ErrorKind) {
	ctx := newEnding(within(t), how)
	head, text, _ := s.upTo(t)
	closed := make(chan struct{})
	f := s.fake(t, func(w http.ResponseWriter, r *http.Request) {
		stream(head, nil)(w, r)
		<-r.Context().Done()
		close(closed)
	})
	got, _, err := s.call(ctx, t, f.provider, s.question(), func(so sum) error {
		if so.text == text {
			go ctx.end() // while the provider waits for the next piece, or is about to
		}
		return nil
	})
	s.mustEndWith(t, err, how, kind)
	if got.Text != text {
		t.Errorf("what came before the end is %q, want %q", got.Text, text)
	}
	await(t, closed, "the vendor did not see the connection close")
}

// leaves: the listener's error ends the call at once, though the vendor goes
// on.
func (s suite) leaves(t *testing.T) {
	head, text, next := s.upTo(t)
	closed := make(chan struct{})
	f := s.fake(t, func(w http.ResponseWriter, r *http.Request) {
		stream(head, nil)(w, r)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, next); err != nil {
				break
			}
		}
		close(closed)
	})
	gone := false
	got, _, err := s.call(within(t), t, f.provider, s.question(), func(so sum) error {
		if gone {
			t.Error("a piece came after the listener had left")
		}
		if so.text == "" {
			return nil
		}
		gone = true
		return errGone
	})
	s.mustEndWith(t, err, errGone, llm.ErrorCanceled)
	if got.Text != text {
		t.Errorf("what had been received is %q, want %q", got.Text, text)
	}
	await(t, closed, "the vendor did not see the connection close")
}
