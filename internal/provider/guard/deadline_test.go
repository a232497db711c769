package guard_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/guard"
)

// stalling sends a piece after each of the given times and then hangs.
func stalling(after ...time.Duration) vendor {
	return func(ctx context.Context, r llm.Request) (got llm.Response, err error) {
		for _, d := range after {
			if err := wait(ctx, d); err != nil {
				return got, err
			}
			got.Text += "x"
			if err := r.Emit(llm.Chunk{Text: "x"}); err != nil {
				return got, err
			}
		}
		<-ctx.Done()
		return got, interrupted(ctx)
	}
}

// TestDeadlines: each ends the call at its time, says which it was, and what
// had come is there.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	const s = time.Second
	all := guard.Options{Timeout: 100 * s, AttemptTimeout: 60 * s, FirstTokenTimeout: 10 * s, IdleTimeout: 5 * s}
	for name, c := range map[string]struct {
		options guard.Options
		vendor  vendor
		stream  bool
		after   time.Duration
		says    string
		text    string
	}{
		"whole answer":             {all, hanging, false, 60 * s, "no answer within 1m0s", ""},
		"no attempt's deadline":    {guard.Options{Timeout: 30 * s}, hanging, false, 30 * s, "all attempts", ""},
		"the first piece":          {all, stalling(), true, 10 * s, "no first piece of the answer within 10s", ""},
		"the next piece":           {all, stalling(9*s, 4*s, 4*s), true, 22 * s, "nothing more for 5s", "xxx"},
		"pieces that take forever": {all, stalling(9*s, 4*s, 4*s, 4*s, 4*s, 4*s, 4*s, 4*s, 4*s, 4*s, 4*s, 4*s, 4*s, 4*s), true, 66 * s, "nothing more for 5s", "xxxxxxxxxxxxxx"},
		"a stream in all":          {guard.Options{Timeout: 30 * s}, stalling(s, s), true, 30 * s, "no answer within 30s, with the wait", "xx"},
		"without first":            {guard.Options{Timeout: 90 * s, IdleTimeout: 5 * s}, stalling(40 * s), true, 45 * s, "nothing more for 5s", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c.options.Name = "vendor"
				p := guard.New(c.vendor, c.options)
				r := llm.Request{}
				if c.stream {
					r.Emit = func(llm.Chunk) error { return nil }
				}
				began := time.Now()
				got, err := p.Complete(t.Context(), r)
				if failed := failure(t, err, llm.ErrorTimeout); !strings.Contains(failed.Error(), c.says) || failed.Unsent {
					t.Errorf("it says %q, want %q; unsent: %t", failed, c.says, failed.Unsent)
				}
				if took := time.Since(began); took != c.after {
					t.Errorf("it took %s, want %s", took, c.after)
				}
				if got.Text != c.text {
					t.Errorf("it returned %q, want %q", got.Text, c.text)
				}
				if s := idle(t, p); s.Timeouts != 1 {
					t.Errorf("%d timeouts are counted", s.Timeouts)
				}
			})
		})
	}
}

// TestSlowCallersAreNotTheVendors: while a piece is being taken no clock runs,
// and nothing is held against the vendor.
func TestSlowCallersAreNotTheVendors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := guard.Options{Name: "vendor", AttemptTimeout: 10 * time.Second, FirstTokenTimeout: time.Second, IdleTimeout: time.Second}
		three := vendor(func(ctx context.Context, r llm.Request) (llm.Response, error) {
			for range 3 {
				if err := errors.Join(wait(ctx, 500*time.Millisecond), r.Emit(llm.Chunk{Text: "x"})); err != nil {
					return llm.Response{}, err
				}
			}
			return paris, ctx.Err()
		})
		slowly := llm.Request{Emit: func(llm.Chunk) error { time.Sleep(time.Hour); return nil }}
		if got, err := guard.New(three, o).Complete(t.Context(), slowly); err != nil || got.Text != paris.Text {
			t.Errorf("a slow caller gets %q, %v", got.Text, err)
		}
		o.Timeout, o.MaxConcurrency = time.Minute, 20
		p := guard.New(three, o)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := p.Complete(t.Context(), slowly); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if s := p.State(); s.Breaker != "closed" || s.Limit != 20 {
			t.Errorf("twenty slow callers leave the breaker %s and the limit %d", s.Breaker, s.Limit)
		}
	})
}

// TestCallersEnd: who leaves, by his context or as a listener, is canceled, and
// the vendor is not to blame.
func TestCallersEnd(t *testing.T) {
	t.Parallel()
	errGone := errors.New("connection reset")
	for name, call := range map[string]func(context.Context, *guard.Provider) (llm.Response, error){
		"his context is canceled": func(ctx context.Context, p *guard.Provider) (llm.Response, error) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return p.Complete(ctx, llm.Request{Emit: func(llm.Chunk) error { return nil }})
		},
		"his context has a deadline": func(ctx context.Context, p *guard.Provider) (llm.Response, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return p.Complete(ctx, llm.Request{Emit: func(llm.Chunk) error { return nil }})
		},
		"he takes no more": func(ctx context.Context, p *guard.Provider) (llm.Response, error) {
			return p.Complete(ctx, llm.Request{Emit: func(llm.Chunk) error { return errGone }})
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := guard.New(stalling(10*time.Millisecond), guard.Options{Name: "vendor", Timeout: time.Minute, IdleTimeout: 10 * time.Second, Retries: 3})
			for range 20 {
				got, err := call(t.Context(), p)
				failed := failure(t, err, llm.ErrorCanceled)
				if got.Text != "x" || failed.Unsent {
					t.Errorf("%s: %q was received, unsent %t", name, got.Text, failed.Unsent)
				}
				if name == "he takes no more" && !errors.Is(err, errGone) {
					t.Errorf("%s: the reason is lost: %v", name, err)
				}
			}
			if s := idle(t, p); s.Breaker != "closed" || s.Timeouts != 0 {
				t.Errorf("%s, twenty times: the breaker is %s, %d timeouts", name, s.Breaker, s.Timeouts)
			}
		})
	}
}

// TestAnswerInTheLastMoment is an answer.
func TestAnswerInTheLastMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		late := vendor(func(ctx context.Context, _ llm.Request) (llm.Response, error) {
			<-ctx.Done()
			return paris, nil
		})
		p := guard.New(late, guard.Options{Name: "vendor", AttemptTimeout: time.Second})
		if got, err := p.Complete(t.Context(), llm.Request{}); err != nil || got.Text != paris.Text {
			t.Errorf("it returned %q, %v", got.Text, err)
		}
	})
}
