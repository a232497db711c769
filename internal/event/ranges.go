package event

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Range is a run of seqs, First and Last included.
type Range struct{ First, Last int64 }

// Ranges is a set of seqs as runs, ascending and apart from each other. One
// run that begins at 1 means that nothing is missing.
type Ranges []Range

// Add puts seq in, and reports whether it was missing. It costs O(1) for the
// seq after the last, as they usually come.
func (r *Ranges) Add(seq int64) bool {
	i := r.find(seq)
	s := *r
	if i < len(s) && s[i].First <= seq {
		return false
	}
	joinsBefore := i > 0 && s[i-1].Last == seq-1
	joinsAfter := i < len(s) && s[i].First == seq+1
	switch {
	case joinsBefore && joinsAfter:
		s[i-1].Last = s[i].Last
		*r = slices.Delete(s, i, i+1)
	case joinsBefore:
		s[i-1].Last = seq
	case joinsAfter:
		s[i].First = seq
	default:
		*r = slices.Insert(s, i, Range{seq, seq})
	}
	return true
}

// find is the index of the first run that ends at seq or behind it.
func (r Ranges) find(seq int64) int {
	if n := len(r); n == 0 || r[n-1].Last < seq {
		return n
	}
	i, _ := slices.BinarySearchFunc(r, seq, func(run Range, seq int64) int {
		if run.Last < seq {
			return -1
		}
		return 1
	})
	return i
}

// Contains reports whether seq is in the set.
func (r Ranges) Contains(seq int64) bool {
	i := r.find(seq)
	return i < len(r) && r[i].First <= seq
}

// Count is how many seqs are in the set.
func (r Ranges) Count() int64 {
	var n int64
	for _, run := range r {
		n += run.Last - run.First + 1
	}
	return n
}

// UpTo is the highest seq below which, from 1 on, nothing is missing.
func (r Ranges) UpTo() int64 {
	if len(r) == 0 || r[0].First != 1 {
		return 0
	}
	return r[0].Last
}

// Last is the highest seq in the set, 0 for none.
func (r Ranges) Last() int64 {
	if len(r) == 0 {
		return 0
	}
	return r[len(r)-1].Last
}

// Covers reports whether all of other is in the set.
func (r Ranges) Covers(other Ranges) bool {
	for _, run := range other {
		i := r.find(run.First)
		if i == len(r) || r[i].First > run.First || r[i].Last < run.Last {
			return false
		}
	}
	return true
}

// String writes the set as PostgreSQL writes an int8multirange, such as
// {[1,4),[7,8)}: the upper end is not included.
func (r Ranges) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, run := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "[%d,%d)", run.First, run.Last+1)
	}
	b.WriteByte('}')
	return b.String()
}

// ParseRanges reads what String writes.
func ParseRanges(text string) (Ranges, error) {
	inner, opens := strings.CutPrefix(text, "{")
	inner, closes := strings.CutSuffix(inner, "}")
	if !opens || !closes {
		return nil, fmt.Errorf("%q is not a set of seqs", text)
	}
	var r Ranges
	for inner != "" {
		run, rest, _ := strings.Cut(inner, ")")
		first, end, _ := strings.Cut(strings.TrimPrefix(run, "["), ",")
		from, err1 := strconv.ParseInt(first, 10, 64)
		to, err2 := strconv.ParseInt(end, 10, 64)
		if err1 != nil || err2 != nil || from >= to || len(r) > 0 && from <= r[len(r)-1].Last+1 {
			return nil, fmt.Errorf("%q is not a set of seqs", text)
		}
		r = append(r, Range{from, to - 1})
		inner = strings.TrimPrefix(rest, ",")
	}
	return r, nil
}
