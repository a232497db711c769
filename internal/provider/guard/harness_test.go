package guard_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/guard"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// vendor is a provider in a test's words.
type vendor func(ctx context.Context, r llm.Request) (llm.Response, error)

func (v vendor) Complete(ctx context.Context, r llm.Request) (llm.Response, error) { return v(ctx, r) }

var paris = llm.Response{Text: "Paris.", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 13, Out: 7}}

// taking answers after a time, or fails as the real ones do when ctx ends.
func taking(d time.Duration) vendor {
	return func(ctx context.Context, _ llm.Request) (llm.Response, error) {
		return paris, wait(ctx, d)
	}
}

// hanging takes a call and never answers.
func hanging(ctx context.Context, _ llm.Request) (llm.Response, error) {
	<-ctx.Done()
	return llm.Response{}, interrupted(ctx)
}

func failing(e llm.ProviderError) vendor {
	return func(context.Context, llm.Request) (llm.Response, error) {
		failed := e
		failed.Provider, failed.Err = "vendor", errors.New("no")
		return llm.Response{}, &failed
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return interrupted(ctx)
	}
}

func interrupted(ctx context.Context) error {
	kind := llm.ErrorCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		kind = llm.ErrorTimeout
	}
	return &llm.ProviderError{Provider: "vendor", Kind: kind, Err: ctx.Err()}
}

// failure is err as the *llm.ProviderError that it must be, of a kind.
func failure(t *testing.T, err error, kind llm.ErrorKind) *llm.ProviderError {
	t.Helper()
	failed, ok := errors.AsType[*llm.ProviderError](err)
	if !ok || failed.Kind != kind {
		t.Fatalf("it ended with %v, want kind %s", err, kind)
	}
	if failed.Provider != "vendor" {
		t.Errorf("the failure is of provider %q", failed.Provider)
	}
	return failed
}

func idle(t *testing.T, p *guard.Provider) rollup.ProviderState {
	t.Helper()
	s := p.State()
	if s.InFlight != 0 || s.Waiting != 0 || s.OldestWaitMS != 0 {
		t.Errorf("when all is over, %d are in flight and %d wait", s.InFlight, s.Waiting)
	}
	return s
}
