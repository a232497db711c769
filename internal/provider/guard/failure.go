package guard

import (
	"errors"
	"fmt"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// ErrOpen says that a breaker is open: the vendor was not asked.
var ErrOpen = errors.New("its breaker is open")

// missed is a deadline that was.
type missed struct {
	deadline string // which one
	after    time.Duration
	excused  bool // most of the time was not the vendor's
}

// The deadlines.
const (
	deadlineTotal   = "no answer within %s, with the wait for a place and all attempts"
	deadlineAttempt = "no answer within %s"
	deadlineFirst   = "no first piece of the answer within %s"
	deadlineIdle    = "nothing more for %s in the middle of the answer"
)

func (m *missed) Error() string { return fmt.Sprintf(m.deadline, m.after) }

// verdict is what the end of a call says about the vendor.
type verdict int

const (
	silent  verdict = iota // nothing
	favours                // it works
	accuses                // it does not
)

// judge reads what a call ended with. A rejected request shows that the vendor
// works. That it is asked too much is for the queue to mend, and what the
// caller or we ended says nothing.
func judge(err error) verdict {
	if err == nil {
		return favours
	}
	if m, ok := errors.AsType[*missed](err); ok && m.excused {
		return silent
	}
	failed, ok := errors.AsType[*llm.ProviderError](err)
	if !ok {
		return accuses
	}
	switch failed.Kind {
	case llm.ErrorRejected:
		return favours
	case llm.ErrorCanceled, llm.ErrorRateLimited, llm.ErrorOverloaded:
		return silent
	default:
		return accuses
	}
}

// tooMuch reports whether a call ended as calls do that a vendor cannot bear:
// refused as too many, refused for a while, or left without an answer. Other
// failures come at any load, and a limit that followed them would fall with the
// root of their share, as TCP does on a line that loses packets.
func tooMuch(err error) bool {
	failed, ok := errors.AsType[*llm.ProviderError](err)
	if !ok {
		return false
	}
	switch failed.Kind {
	case llm.ErrorRateLimited:
		return true
	case llm.ErrorTimeout:
		return judge(err) == accuses && !failed.Unsent
	default:
		return failed.Status == statusOverloaded || failed.Status == statusUnavailable && failed.RetryAfter > 0
	}
}

// Statuses of vendors that failed, of those from 500 on.
const (
	statusUnavailable    = 503
	statusGatewayTimeout = 504
	statusEdgeTimeout    = 524 // Cloudflare's: the vendor behind it did not answer in time
	statusOverloaded     = 529 // Anthropic's
)

// repeatable reports whether a call may be made again at the same vendor: only
// when it cannot have been charged, so that no money goes unrecorded. That is
// when it was never sent, refused as one too many, or answered with a failure
// of the server. Who did not answer in time may have worked, and charges for
// it; an edge that says so for the vendor knows no better.
func repeatable(got llm.Response, err error) bool {
	failed, ok := errors.AsType[*llm.ProviderError](err)
	if !ok || got.Usage != (llm.Usage{}) || errors.Is(err, ErrOpen) {
		return false
	}
	switch failed.Kind {
	case llm.ErrorRateLimited:
		return true
	case llm.ErrorTimeout:
		return failed.Unsent
	case llm.ErrorUnavailable:
		answered := failed.Status >= 500 && failed.Status != statusGatewayTimeout && failed.Status != statusEdgeTimeout
		return failed.Unsent || answered
	default:
		return false
	}
}
