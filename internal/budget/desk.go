package budget

import (
	"context"
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// Desk is where processes report and lease slices. Its clock decides what is
// late.
type Desk interface {
	// Sync takes a process's reports and gives a reply to each, in their order.
	// What is stored goes with them; nil: nothing new. An error says that
	// nothing is known of what was taken.
	Sync(ctx context.Context, process string, reports []Report, stored *Stored) ([]Reply, error)
}

// Books tell what is stored.
type Books interface {
	// Spending reads what is stored of accounts, and up to when that is all of
	// what processes have recorded, of these journals.
	Spending(ctx context.Context, accounts []Account, journals []string) (Stored, error)
}

// Report is what a process says of an account. Its own word replaces what it
// said before, so that a report may be lost or come twice.
type Report struct {
	Account
	Limit pricing.Nanos
	Seq   int64 // grows with each report: an older one that comes late changes nothing
	Holds pricing.Nanos
	Spent []Spent
	Wants pricing.Nanos // to hold more
	Needs pricing.Nanos // of that, the least that is of use
}

// Spent is what requests of a minute have cost a process since it began.
type Spent struct {
	Minute int64 // Unix time / 60
	Cost   pricing.Nanos
}

// Reply answers a report.
type Reply struct {
	State   State
	Granted pricing.Nanos // on top of what the process said it holds
	Free    pricing.Nanos // that nobody holds, behind that; below 0: overdrawn
	Spent   pricing.Nanos // by all
	Held    pricing.Nanos // by other processes
	// Covered is a minute: what the process has spent before it is stored, and
	// need not be reported any more.
	Covered  int64
	Journals []string // of all processes that have said something
	Read     bool     // what is stored should be read again, by this process
}

// State says what a desk can do now.
type State int

// The states.
const (
	Open  State = iota
	Quiet       // it is new or has come back, and waits for what processes hold, and what is stored
	Blank       // it does not know yet what is stored
	Stale       // the report speaks of minutes before Covered, and was not taken
	Late        // a later report was there before
)

// Stored is what was stored at one moment.
type Stored struct {
	AsOf     time.Time // by the store's clock, before anything else was read
	Mark     time.Time // a full minute: all that arrived before is stored, of journals that live
	Until    time.Time // the same, to the moment
	Accounts map[Account]Sums
	Journals []Coverage
}

// Sums are what is stored of an account.
type Sums struct {
	Before pricing.Nanos // what arrived before the mark has cost
	All    pricing.Nanos
}

// Coverage says how much of a journal is stored for certain.
type Coverage struct {
	Journal string
	Until   time.Time // all that it recorded of what arrived before
	Closed  bool      // and nobody has written in it since
}

// Times that all processes and the desk agree on.
const (
	// Hold is how long a process may spend a slice that it could not report; the
	// desk forgets slices some time later.
	Hold = 4 * time.Minute
	// Forget is how long a process must have been silent, with all that it did
	// stored, until its slices go to others.
	Forget = 5 * time.Minute
	// QuietFor is how long a desk that came back grants nothing: whoever holds a
	// slice reports more often than that.
	QuietFor = 3 * time.Second
	// YoungFor is how long a desk that is new may take to hear what is stored: all
	// that arrived before it was new must be.
	YoungFor = 10 * time.Second
	// ReadEvery is how old what is stored may be.
	ReadEvery = 10 * time.Second
	// Skew is by how much clocks may differ.
	Skew = 2 * time.Second
	// Active is how long a process counts that may want a share of what is left.
	Active = 10 * time.Second
)
