package limit

import (
	"context"
	"time"
)

// Desk is where processes say what they hold and what they need, and get more.
// Its clock decides what is late.
type Desk interface {
	// Share takes a process's reports and gives a reply to each, in their order.
	// An error says that nothing is known of what was taken.
	Share(ctx context.Context, process string, reports []Report) ([]Reply, error)
}

// Report is what a process says of a bucket. Its own word replaces what it said
// before, so that a report may be lost or come twice. One who holds, asks for
// and needs nothing is gone.
type Report struct {
	Bucket
	PerMinute int64
	Seq       int64   // grows with each report: an older one that comes late changes nothing
	Share     float64 // that it holds, of 1
	Level     float64 // that it holds, in units; below 0: it is in debt
	Gives     float64 // that it held, and gives back; may be below 0
	Demand    float64 // units a second that were asked for lately
	Needs     float64 // more, at once
}

// Reply answers a report.
type Reply struct {
	Late   bool    // a later report was there before: this one was not taken
	Share  float64 // on top of what the process said it holds
	Level  float64 // the same
	Keep   float64 // what it may hold of its share: it gives back the rest
	Pool   float64 // level that nobody holds, behind that
	Others float64 // level that other processes hold
}

// What all processes and the desk agree on.
const (
	// Lease is how long a share is its process's that does not report.
	Lease = 3 * time.Second
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
