package guard_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/guard"
)

// tries records when a vendor is asked.
type tries struct {
	vendor
	at []time.Time
}

func (v *tries) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	v.at = append(v.at, time.Now())
	return v.vendor(ctx, r)
}

func (v *tries) pauses() []time.Duration {
	var ds []time.Duration
	for i := range len(v.at) - 1 {
		ds = append(ds, v.at[i+1].Sub(v.at[i]))
	}
	return ds
}

// TestRetriesOnlyWhatCannotBeCharged: one attempt where the vendor may have
// worked or will not change its mind, all of them where it has not.
func TestRetriesOnlyWhatCannotBeCharged(t *testing.T) {
	t.Parallel()
	const again, once = 4, 1
	for name, c := range map[string]struct {
		failure llm.ProviderError
		want    int
	}{
		"429":                        {llm.ProviderError{Kind: llm.ErrorRateLimited, Status: 429}, again},
		"500":                        {llm.ProviderError{Kind: llm.ErrorUnavailable, Status: 500}, again},
		"503":                        {llm.ProviderError{Kind: llm.ErrorUnavailable, Status: 503}, again},
		"529":                        {llm.ProviderError{Kind: llm.ErrorUnavailable, Status: 529}, again},
		"not reached":                {llm.ProviderError{Kind: llm.ErrorUnavailable, Unsent: true}, again},
		"not reached in time":        {llm.ProviderError{Kind: llm.ErrorTimeout, Unsent: true}, again},
		"cut off on the way":         {llm.ProviderError{Kind: llm.ErrorUnavailable}, once},
		"cut off in the answer":      {llm.ProviderError{Kind: llm.ErrorUnavailable, Status: 200}, once},
		"the edge's timeout":         {llm.ProviderError{Kind: llm.ErrorUnavailable, Status: 504}, once},
		"another edge's timeout":     {llm.ProviderError{Kind: llm.ErrorUnavailable, Status: 524}, once},
		"timeout":                    {llm.ProviderError{Kind: llm.ErrorTimeout}, once},
		"vendor's timeout":           {llm.ProviderError{Kind: llm.ErrorTimeout, Status: 408}, once},
		"key refused":                {llm.ProviderError{Kind: llm.ErrorAuth, Status: 401}, once},
		"request refused":            {llm.ProviderError{Kind: llm.ErrorRejected, Status: 400}, once},
		"nonsense":                   {llm.ProviderError{Kind: llm.ErrorMalformed, Status: 200}, once},
		"canceled":                   {llm.ProviderError{Kind: llm.ErrorCanceled}, once},
		"no room":                    {llm.ProviderError{Kind: llm.ErrorOverloaded, Unsent: true}, once},
		"429 with a long wait":       {llm.ProviderError{Kind: llm.ErrorRateLimited, Status: 429, RetryAfter: 11 * time.Second}, once},
		"429 with a wait of an hour": {llm.ProviderError{Kind: llm.ErrorRateLimited, Status: 429, RetryAfter: time.Hour}, once},
	} {
		synctest.Test(t, func(t *testing.T) {
			v := &tries{vendor: failing(c.failure)}
			p := guard.New(v, guard.Options{Name: "vendor", Retries: 3, Timeout: time.Minute})
			began := time.Now()
			_, err := p.Complete(t.Context(), llm.Request{})
			failed := failure(t, err, c.failure.Kind)
			if len(v.at) != c.want || failed.Status != c.failure.Status {
				t.Errorf("%s: asked %d times, want %d; it ends with %v", name, len(v.at), c.want, err)
			}
			if took := time.Since(began); c.want == once && took > 0 {
				t.Errorf("%s: gave up after %s", name, took)
			}
			if s := idle(t, p); s.Retries != int64(c.want-1) {
				t.Errorf("%s: %d repetitions are counted", name, s.Retries)
			}
		})
	}
}

// TestRetryHelps: the second attempt's answer is the call's.
func TestRetryHelps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := new(tries)
		v.vendor = func(ctx context.Context, r llm.Request) (llm.Response, error) {
			if len(v.at) == 1 {
				return failing(llm.ProviderError{Kind: llm.ErrorUnavailable, Status: 503})(ctx, r)
			}
			return paris, r.Emit(llm.Chunk{Text: paris.Text})
		}
		var heard string
		r := llm.Request{Emit: func(c llm.Chunk) error { heard += c.Text; return nil }}
		got, err := guard.New(v, guard.Options{Name: "vendor", Retries: 1}).Complete(t.Context(), r)
		if err != nil || got.Text != paris.Text || heard != paris.Text || len(v.at) != 2 {
			t.Errorf("%d attempts, %q said, %q heard, %v", len(v.at), got.Text, heard, err)
		}
	})
}

// TestNothingIsRepeatedThatWasShownOrPaid: a piece that is out cannot be taken
// back, and usage is money.
func TestNothingIsRepeatedThatWasShownOrPaid(t *testing.T) {
	t.Parallel()
	limited := failing(llm.ProviderError{Kind: llm.ErrorRateLimited, Status: 429})
	for name, v := range map[string]vendor{
		"an empty piece": func(ctx context.Context, r llm.Request) (llm.Response, error) {
			_ = r.Emit(llm.Chunk{})
			return limited(ctx, r)
		},
		"usage": func(ctx context.Context, r llm.Request) (llm.Response, error) {
			_, err := limited(ctx, r)
			return llm.Response{Usage: llm.Usage{In: 1}}, err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			v := &tries{vendor: v}
			_, err := guard.New(v, guard.Options{Name: "vendor", Retries: 3}).
				Complete(t.Context(), llm.Request{Emit: func(llm.Chunk) error { return nil }})
			failure(t, err, llm.ErrorRateLimited)
			if len(v.at) != 1 {
				t.Errorf("%s: asked %d times", name, len(v.at))
			}
		})
	}
}

// TestPauses: from nothing to a bound that doubles, all over it, and on top of
// what the vendor asks for.
func TestPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var first []time.Duration
		var longest time.Duration
		for range 300 {
			for _, asked := range []time.Duration{0, 2 * time.Second} {
				v := &tries{vendor: failing(llm.ProviderError{Kind: llm.ErrorRateLimited, RetryAfter: asked})}
				_, err := guard.New(v, guard.Options{Name: "vendor", Retries: 3}).Complete(t.Context(), llm.Request{})
				failure(t, err, llm.ErrorRateLimited)
				for i, d := range v.pauses() {
					if d < asked || d > asked+250*time.Millisecond<<i {
						t.Fatalf("pause %d takes %s, with %s asked for", i, d, asked)
					}
				}
				if asked == 0 {
					first = append(first, v.pauses()[0])
					longest = max(longest, v.pauses()[2])
				}
			}
		}
		if longest < 900*time.Millisecond {
			t.Errorf("no third pause is longer than %s", longest)
		}
		slices.Sort(first)
		if lowest, highest := first[0], first[len(first)-1]; lowest > 10*time.Millisecond || highest < 240*time.Millisecond {
			t.Errorf("the first pauses go from %s to %s", lowest, highest)
		}
		if median := first[len(first)/2]; median < 90*time.Millisecond || median > 160*time.Millisecond {
			t.Errorf("half of the first pauses are below %s", median)
		}
	})
}

// TestNoRetryBeyondTheDeadline, the caller's or our own: who could not wait it
// out goes elsewhere at once.
func TestNoRetryBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, ours := range []bool{true, false} {
			for left := time.Duration(0); left < 6*time.Second; left += 100 * time.Millisecond {
				v := &tries{vendor: func(ctx context.Context, r llm.Request) (llm.Response, error) {
					if err := wait(ctx, 10*time.Millisecond); err != nil {
						return llm.Response{}, err
					}
					return failing(llm.ProviderError{Kind: llm.ErrorRateLimited, RetryAfter: time.Second})(ctx, r)
				}}
				o, ctx := guard.Options{Name: "vendor", Retries: 3}, t.Context()
				if ours {
					o.Timeout = left + 15*time.Millisecond
				} else {
					o.Timeout = time.Minute
					within, cancel := context.WithTimeout(ctx, left+15*time.Millisecond)
					defer cancel()
					ctx = within
				}
				began := time.Now()
				_, err := guard.New(v, o).Complete(ctx, llm.Request{})
				if took := time.Since(began); took > left+15*time.Millisecond {
					t.Errorf("with %s left it took %s", left, took)
				}
				if len(v.at) > 1+int(left/time.Second) {
					t.Errorf("%s had room for %d attempts", left, len(v.at))
				}
				if left < time.Second {
					failure(t, err, llm.ErrorRateLimited)
					if took := time.Since(began); took != 10*time.Millisecond {
						t.Errorf("with %s left it gave up after %s", left, took)
					}
				}
			}
		}
	})
}

// TestCallerLeavesBetweenAttempts: he is not kept waiting, and nothing of his is
// at the vendor.
func TestCallerLeavesBetweenAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &tries{vendor: failing(llm.ProviderError{Kind: llm.ErrorRateLimited, RetryAfter: 5 * time.Second})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		_, err := guard.New(v, guard.Options{Name: "vendor", Retries: 3}).Complete(ctx, llm.Request{})
		failed := failure(t, err, llm.ErrorCanceled)
		if took := time.Since(began); took != time.Second || len(v.at) != 1 || !failed.Unsent {
			t.Errorf("%d attempts, let go after %s, unsent %t", len(v.at), took, failed.Unsent)
		}
	})
}
