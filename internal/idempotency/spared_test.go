package idempotency_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/idempotency"
)

// store fails with err, and counts how often it is asked.
type store struct {
	err   error
	asked int
}

func (s *store) Begin(context.Context, string, string, string) ([]byte, error) {
	s.asked++
	return []byte("kept"), s.err
}

func (s *store) Own(context.Context, string, string, string) error { s.asked++; return s.err }

func (s *store) Renew(context.Context, string, string) error { s.asked++; return s.err }

func (s *store) End(context.Context, string, string, []byte) error { s.asked++; return s.err }

func TestAStoreThatFailsIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := &store{err: errors.New("down")}
		s := idempotency.NewSpared(down)
		for range 20 {
			if _, err := s.Begin(t.Context(), "", "", ""); err == nil {
				t.Fatal("it did not fail")
			}
		}
		if err := errors.Join(s.Own(t.Context(), "", "", ""), s.Renew(t.Context(), "", ""), s.End(t.Context(), "", "", nil)); err == nil || down.asked != 3 {
			t.Errorf("it was asked %d times (%v)", down.asked, err)
		}
		time.Sleep(time.Second + time.Millisecond)
		if _, err := s.Begin(t.Context(), "", "", ""); err == nil || down.asked != 4 {
			t.Errorf("after a while it was asked %d times (%v)", down.asked, err)
		}
		down.err = nil
		time.Sleep(time.Second + time.Millisecond)
		for range 20 {
			if kept, err := s.Begin(t.Context(), "", "", ""); err != nil || string(kept) != "kept" {
				t.Errorf("when it is back: %q, %v", kept, err)
			}
		}
	})
}

// What is no failure of the store does not make it less asked.
func TestAStoreThatAnswersIsAsked(t *testing.T) {
	t.Parallel()
	for _, err := range []error{idempotency.ErrInFlight, idempotency.ErrOtherRequest, context.Canceled} {
		up := &store{err: err}
		s := idempotency.NewSpared(up)
		for range 20 {
			if _, got := s.Begin(t.Context(), "", "", ""); !errors.Is(got, err) {
				t.Errorf("%v became %v", err, got)
			}
		}
		if up.asked != 20 {
			t.Errorf("with %v it was asked %d times", err, up.asked)
		}
	}
}
