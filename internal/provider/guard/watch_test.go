package guard

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// TestNoTimerIsLeft when a call has ended, however it was limited.
func TestNoTimerIsLeft(t *testing.T) {
	t.Parallel()
	for _, pieces := range []int{0, 1, 3} {
		w := &watch{limits: &deadline{attempt: time.Hour, first: time.Hour, idle: time.Hour}, end: time.Now().Add(time.Hour),
			emit: func(llm.Chunk) error { return nil }, cancel: func() {}}
		w.await(w.limits.first, deadlineFirst)
		for range pieces {
			if err := w.piece(llm.Chunk{}); err != nil {
				t.Fatal(err)
			}
		}
		w.close()
		if w.timer.Stop() {
			t.Errorf("after %d pieces a timer is left", pieces)
		}
	}
}

// TestTimerThatGoesOffLate, when its time was set anew meanwhile, does nothing.
func TestTimerThatGoesOffLate(t *testing.T) {
	t.Parallel()
	ended := false
	w := &watch{limits: &deadline{attempt: time.Hour}, cancel: func() { ended = true }}
	w.await(0, "")
	w.fire()
	w.stop()
	w.fire()
	if ended {
		t.Error("it ended the call")
	}
	w.limits.attempt = time.Nanosecond
	w.await(0, "")
	w.timer.Stop()
	for time.Since(w.due) < 0 {
		time.Sleep(time.Nanosecond)
	}
	w.fire()
	if !ended {
		t.Error("a timer in time did not end the call")
	}
}
