package experiment

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
)

// maxSalt bounds a salt, in bytes.
const maxSalt = 128

// place is where a user stands within [0, 1) for a salt: the first 53 bits of
// the SHA-256 of the salt, a zero byte and the user. The zero byte keeps "a" and
// "1user" apart from "a1" and "user". Simple hashes in its place make
// experiments depend on each other.
func place(salt, user string) float64 {
	var room [maxSalt + 1 + 256]byte // so that the usual needs nothing from the heap
	b := append(append(append(room[:0], salt...), 0), user...)
	sum := sha256.Sum256(b)
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}

// Holdout reports whether a user belongs to the share of users who are kept out
// of everything. A user who does, still does when the share grows.
func Holdout(salt, user string, share float64) bool {
	return share > 0 && place("holdout\x01"+salt, user) < share
}

// Assigner tells arms by the unit's name alone. It is safe for concurrent use.
type Assigner struct {
	salt    string
	layer   string // salt of the layer; "" is none
	segment Segment
	phases  []layout
}

// layout is [0, 1) cut up among the arms in one phase.
type layout struct {
	from   time.Time
	pieces []piece
	kept   []uint64 // units of another arm, which they entered before: place and arm, sorted
}

// piece ends where the next one begins; the last one ends beyond 1.
type piece struct {
	end float64
	arm int
}

// NewAssigner prepares an experiment that is valid.
func NewAssigner(e *Experiment) *Assigner {
	a := &Assigner{salt: e.Salt, segment: e.Segment}
	if e.Layer != "" {
		a.layer = "layer\x01" + e.Project + "\x01" + e.Layer
	}
	var pieces []piece
	var shares []float64
	for _, p := range e.Phases {
		pieces = regrow(pieces, shares, p.Shares)
		shares = p.Shares
		a.phases = append(a.phases, layout{from: p.From, pieces: pieces})
	}
	return a
}

// Assign says which arm and phase a unit belongs to that enters at a time. ok is
// false for one that belongs to another experiment of the layer.
func (a *Assigner) Assign(unit string, at time.Time) (arm, phase int, ok bool) {
	if a.layer != "" {
		if at := place(a.layer, unit); at < a.segment.From || at >= a.segment.To {
			return 0, 0, false
		}
	}
	phase = len(a.phases) - 1
	for phase > 0 && at.Before(a.phases[phase].from) {
		phase--
	}
	where := place(a.salt, unit)
	if arm, ok = a.phases[phase].keeps(where); ok {
		return arm, phase, true
	}
	return a.phases[phase].arm(where), phase, true
}

func (l *layout) arm(where float64) int {
	i := 0
	for where >= l.pieces[i].end {
		i++
	}
	return l.pieces[i].arm
}

// armBits is what a kept place leaves for the arm.
const armBits = 3

// keeps is the arm of a unit that entered it before the phase began.
func (l *layout) keeps(where float64) (arm int, ok bool) {
	if len(l.kept) == 0 {
		return 0, false
	}
	key := uint64(where * (1 << 53))
	i, _ := slices.BinarySearch(l.kept, key<<armBits)
	if i == len(l.kept) || l.kept[i]>>armBits != key {
		return 0, false
	}
	return int(l.kept[i] & (1<<armBits - 1)), true
}

// mostKept bounds the units that a phase keeps, of eight bytes each. Those beyond
// go where the new shares send them, and are counted as seen in two arms.
const mostKept = 1 << 22

// Keep says that a unit has entered an arm at a time: shares that change later
// do not move it. Settle comes after the last of them, before the assigner is
// used.
func (a *Assigner) Keep(unit string, arm int, at time.Time) {
	where := place(a.salt, unit)
	for i := len(a.phases) - 1; i > 0 && at.Before(a.phases[i].from); i-- {
		if l := &a.phases[i]; l.arm(where) != arm && len(l.kept) < mostKept {
			l.kept = append(l.kept, uint64(where*(1<<53))<<armBits|uint64(arm))
		}
	}
}

// Settle makes those who are kept known to Assign, for requests from a time on.
func (a *Assigner) Settle(from time.Time) {
	for i := range a.phases {
		l := &a.phases[i]
		if slices.Sort(l.kept); i+1 < len(a.phases) && !from.Before(a.phases[i+1].from) {
			l.kept = nil // the phase is over
		}
	}
}

// Ramped is when the last phase begins; ok is false when there is but one.
func (a *Assigner) Ramped() (from time.Time, ok bool) {
	last := len(a.phases) - 1
	return a.phases[last].from, last > 0
}

// regrow cuts [0, 1) anew when shares change, so that nobody leaves an arm
// whose share does not shrink: arms that shrink give up the end of what they
// have, and those that grow take it, in the order of the arms.
func regrow(pieces []piece, from, to []float64) []piece {
	if pieces == nil {
		return cut(to)
	}
	gives, takes := make([]float64, len(to)), make([]float64, len(to))
	for i := range to {
		gives[i], takes[i] = max(0, from[i]-to[i]), max(0, to[i]-from[i])
	}
	kept := make([][2]piece, len(pieces)) // what stays with the arm of a piece, and what is given up
	for i := len(pieces) - 1; i >= 0; i-- {
		start := 0.0
		if i > 0 {
			start = pieces[i-1].end
		}
		end := min(pieces[i].end, 1)
		given := min(gives[pieces[i].arm], end-start)
		gives[pieces[i].arm] -= given
		kept[i] = [2]piece{{end - given, pieces[i].arm}, {end, -1}}
	}
	var result []piece
	at := 0.0
	for _, k := range kept {
		at = appendPiece(&result, at, k[0].end, k[0].arm)
		for i := 0; i < len(takes) && at < k[1].end; i++ {
			taken := min(takes[i], k[1].end-at)
			takes[i] -= taken
			at = appendPiece(&result, at, at+taken, i)
		}
		at = appendPiece(&result, at, k[1].end, lastArm(result)) // what rounding left over
	}
	result[len(result)-1].end = math.Inf(1)
	return result
}

func lastArm(pieces []piece) int {
	if len(pieces) == 0 {
		return Control
	}
	return pieces[len(pieces)-1].arm
}

// appendPiece adds what lies between two places, if anything does, and joins it
// to its neighbour of the same arm.
func appendPiece(pieces *[]piece, from, to float64, arm int) float64 {
	switch n := len(*pieces); {
	case to <= from:
		return from
	case n > 0 && (*pieces)[n-1].arm == arm:
		(*pieces)[n-1].end = to
	default:
		*pieces = append(*pieces, piece{to, arm})
	}
	return to
}

// cut gives each arm its share, in order.
func cut(shares []float64) []piece {
	var pieces []piece
	end := 0.0
	for arm, share := range shares {
		end += share
		pieces = append(pieces, piece{end, arm})
	}
	pieces[len(pieces)-1].end = math.Inf(1)
	return pieces
}

// FreeSegment finds room for a share of a layer beside those that run there.
// What is found is the first that is large enough.
func FreeSegment(taken []Segment, share float64) (Segment, error) {
	sorted := slices.Clone(taken)
	slices.SortFunc(sorted, func(a, b Segment) int { return cmp.Compare(a.From, b.From) })
	at, largest := 0.0, 0.0
	for _, s := range append(sorted, Segment{1, 1}) {
		if free := s.From - at; free+1e-12 >= share {
			return Segment{at, min(at+share, s.From)}, nil
		} else if free > largest {
			largest = free
		}
		at = max(at, s.To)
	}
	return Segment{}, fmt.Errorf("the layer has no room for a share of %.4g beside what runs there: the largest part that is free is %.4g", share, largest)
}
