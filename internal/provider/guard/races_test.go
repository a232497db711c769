package guard

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// TestPlaceThatComesTooLate: one who is given a place while he leaves hands it
// on, to the next or to nobody.
func TestPlaceThatComesTooLate(t *testing.T) {
	t.Parallel()
	s := newSlots(1, 10)
	taken, err := s.take(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	var waiters []*waiter
	for _, caller := range []string{"bob", "cyd"} {
		w, err := s.join(t.Context(), caller, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		waiters = append(waiters, w)
	}
	s.give(taken, borne) // to bob
	s.leave(waiters[0], false)
	select {
	case err := <-waiters[1].told:
		if err != nil || s.inFlight != 1 {
			t.Errorf("cyd is told %v, %d are in flight", err, s.inFlight)
		}
	default:
		t.Fatal("the place is lost")
	}
	s.give(time.Now(), borne)
	if s.inFlight != 0 || s.waiting.len() != 0 {
		t.Errorf("in the end %d are in flight, %d wait", s.inFlight, s.waiting.len())
	}

	// Sent away while he leaves: there is no place to hand on.
	if taken, err = s.take(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	w, err := s.join(t.Context(), "bob", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s.sendAway(ErrOpen)
	s.leave(w, false)
	s.give(taken, borne)
	if s.inFlight != 0 {
		t.Errorf("after all were sent away, %d are in flight", s.inFlight)
	}
}

// TestProbeThatComesTooLate: one that found the breaker half open, and gets to
// it after it has opened again, asks nobody.
func TestProbeThatComesTooLate(t *testing.T) {
	t.Parallel()
	asked := false
	b := newBreaker(providerFunc(func() error { asked = true; return errors.New("no") }), "vendor", func(error) {})
	b.borrow(time.Minute)
	_, err := b.probe(t.Context(), llm.Request{})
	failed, ok := errors.AsType[*llm.ProviderError](err)
	if asked || !ok || !errors.Is(failed, ErrOpen) || failed.RetryAfter < 50*time.Second {
		t.Errorf("asked: %t, %v", asked, err)
	}
}

type providerFunc func() error

func (f providerFunc) Complete(context.Context, llm.Request) (llm.Response, error) {
	return llm.Response{}, f()
}
