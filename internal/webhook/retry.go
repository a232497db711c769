package webhook

import (
	"strconv"
	"time"
)

// waits are the times between attempts: a restart of the receiver is soon over,
// an outage of its vendor takes hours, and whoever is called at night has a day.
func waits() []time.Duration {
	return []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour}
}

const (
	jitterShare    = 0.2 // of a wait, on top of it, so that what failed together is not tried together
	mostRetryAfter = 24 * time.Hour
	gone           = 410 // the receiver wants no more of it
)

// Next is what becomes of a delivery after an attempt.
type Next struct {
	State State
	At    time.Time // of the next attempt, while it waits
}

// After says what follows an attempt that ended at now; chance, within 0 and 1,
// is the jitter. A receiver that says when to come again is not called before.
func After(a Attempt, now time.Time, chance float64) Next {
	all := waits()
	switch {
	case a.Error == "":
		return Next{State: Delivered}
	case a.CutOff:
		return Next{State: Waiting, At: now.Add(all[0])}
	case a.Status == gone || a.Number > len(all):
		return Next{State: Failed}
	}
	wait := all[max(a.Number, 1)-1]
	wait += time.Duration(jitterShare * chance * float64(wait))
	return Next{State: Waiting, At: now.Add(max(wait, min(a.RetryAfter, mostRetryAfter)))}
}

// RetryAfter reads the header of that name: seconds, or a time of HTTP's. It is
// 0 where it says nothing.
func RetryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(header, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", header)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}
