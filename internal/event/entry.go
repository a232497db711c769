package event

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// astray is how far the time of a fact may be from when it came to its stream.
// A journal may be shipped late, and clocks are off; years are a mistake, which
// would stay in every window until then.
const astray = 366 * 24 * time.Hour

// Completion reads an entry of a stream of completions, and holds what the fact
// says of where and when it belongs against where and when it was found. All
// who read the streams take and refuse the same by it. Of a fact that is whole
// and in its place, but refused for its time, it gives both, fact and error.
func (e Entry) Completion() (*CompletionRecorded, error) { return read[*CompletionRecorded](e) }

// Feedback is like Completion, for an entry of a stream of feedback.
func (e Entry) Feedback() (*FeedbackRecorded, error) { return read[*FeedbackRecorded](e) }

func read[F Fact](e Entry) (none F, err error) {
	fact, err := Decode(e.Body)
	if err != nil {
		return none, err
	}
	f, ok := fact.(F)
	if !ok {
		return none, fmt.Errorf("%s does not belong on %s", fact.Head().Type, e.Stream)
	}
	head := f.Head()
	if head.Partition != e.Partition {
		return none, fmt.Errorf("fact of partition %d on partition %d", head.Partition, e.Partition)
	}
	if came, ok := e.time(); ok && head.At.Sub(came).Abs() > astray {
		return f, fmt.Errorf("at %s is more than a year from when it came, %s", head.At.Format(time.RFC3339), came.Format(time.RFC3339))
	}
	return f, nil
}

// time is when the entry came to its stream, to the millisecond; false for one
// that is on its way there.
func (e Entry) time() (time.Time, bool) {
	millis, _, _ := strings.Cut(e.ID, "-")
	ms, err := strconv.ParseInt(millis, 10, 64)
	return time.UnixMilli(ms).UTC(), err == nil
}
