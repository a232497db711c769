package limit

import (
	"context"
	"time"
)

// Desk is where processes say what they hold and what they need, and get more.
// Its clock decides what is late.
type Desk interface {
	// Share takes a process's reports and gives a reply to each, in their order.
	// Without reports it says that the process is there. An error says that
	// nothing is known of what was taken.
	Share(ctx context.Context, process string, reports []Report) (Answer, error)
}

// Report is what a process says of a bucket. Its own word replaces what it said
// before, so that a report may be lost or come twice. One who holds, asks for
// and needs nothing is gone.
type Report struct {
	Bucket
	Most   int64   // a minute, or at once
	Seq    int64   // grows with each report: an older one that comes late changes nothing
	Share  float64 // that it holds, of 1; of concurrency, in requests
	Level  float64 // that it holds, in units; below 0: it is in debt. Of concurrency, those of its share that nobody uses or waits for
	Gives  float64 // that it held, and gives back; may be below 0
	Demand float64 // units a second that were asked for lately; of concurrency, the share that it would like
	Needs  float64 // more, at once
}

// Answer is what the desk says to reports.
type Answer struct {
	Replies   []Reply
	Processes int  // that share, with this one
	Settled   bool // all others have heard of this one
}

// Reply answers a report.
type Reply struct {
	Late   bool    // a later report was there before: this one was not taken
	Share  float64 // on top of what the process said it holds
	Level  float64 // the same
	Keep   float64 // what it may hold of its share: it gives back the rest, as soon as nobody uses it
	Pool   float64 // level that nobody holds, behind that
	Others float64 // level that other processes hold
	// Silence is, of concurrency, the longest that another who holds some has not
	// been heard, and may have come to not using some: Others is as of then.
	Silence time.Duration
	Young   bool // of concurrency: the desk may have lost who holds what, and grants nothing until it has heard
}

// What all processes and the desk agree on.
const (
	// Lease is how long a share of a rate is its process's that does not report.
	Lease = 3 * time.Second
	// Hold is the same of a share of concurrency, and how long a desk that may
	// have lost something grants none: requests under way do not end when their
	// process is held up for a moment.
	Hold = 5 * time.Second
	// Pause is a time in which every process reports something, if it can: who is
	// silent for longer together with all others was not silent by itself.
	Pause = 2500 * time.Millisecond
	// Quiet is how long nobody is silent who holds some concurrency and does not
	// use it, unless it cannot be heard.
	Quiet = 500 * time.Millisecond
	// Known is how long it takes until all processes have heard of a new one.
	Known = 2500 * time.Millisecond
	// Remember is how long a bucket is kept that nobody reports: it is full
	// again after a minute, and debts are paid.
	Remember = 5 * time.Minute
	// Spare is the share that is kept for processes that have none.
	Spare = 1. / 16
	// Even is the part that is shared evenly; the rest goes where it is asked for.
	Even = 1. / 5
	// Tolerance is how much more than its part a process may keep.
	Tolerance = 1.1
)
