package cache

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// filter knows which questions need not be looked up in a level: those that
// were moments ago, and, while it has been told of everything that is in the
// level, those that cannot be there. Without it every new question would cost a
// round trip, for nothing.
//
// What is stored is told by announce, with fingerprints of keys. Two Bloom
// filters take turns: after each span, in which everything in the older one has
// expired, that one begins anew. So their answer "not there" is right, and "may
// be there" is wrong at times, and more often in a flood. A filter begins small,
// and one that is full gets a larger one beside it: 64 KiB do for most, and
// what may be needed, 4 MiB, would be touched all over by the first thousand.
//
// It need not be told at once. Who is late to know of an answer has it made
// again, as if it had asked a moment before.
type filter struct {
	span time.Duration // how long what is stored lives
	bits uint64        // most of a Bloom filter, a power of two

	since  atomic.Int64 // announced without a gap since, in Unix nanoseconds
	behind atomic.Bool  // something may have been stored and not announced yet
	turns  atomic.Pointer[turns]
	turn   sync.Mutex // of changing turns

	missed [missSlots]atomic.Uint64
}

type turns struct {
	began        int64 // Unix nanoseconds
	young, older *bloom
}

const (
	never   = math.MaxInt64
	forever = math.MinInt64 / 2

	missSlots = 1 << 14
	missFor   = time.Second
	missTick  = 10 * time.Millisecond
)

// newFilter makes a filter that has been told of nothing yet.
func newFilter(span time.Duration, bits uint64) *filter {
	f := &filter{span: span, bits: bits}
	f.since.Store(never)
	f.behind.Store(true)
	f.turns.Store(&turns{young: newBloom(min(bits, leastBits), nil)})
	return f
}

// misses reports whether a level need not be asked.
func (f *filter) misses(k Key, models []string, now time.Time) bool {
	fp := k.Fingerprint()
	place, tag := missPlace(fp)
	if v := f.missed[place].Load(); v>>missModelBits>>missTimeBits == tag && v>>missTimeBits&missModelMask == modelsTag(models) &&
		(missTime(now)-v)&missTimeMask < uint64(missFor/missTick) {
		return true
	}
	since := f.since.Load()
	if since == never || f.behind.Load() || now.UnixNano()-since < int64(f.span) {
		return false
	}
	t := f.turns.Load()
	return !t.young.has(fp) && !t.older.has(fp)
}

// miss notes that a level had no answer of models.
func (f *filter) miss(k Key, models []string, now time.Time) {
	place, tag := missPlace(k.Fingerprint())
	f.missed[place].Store(tag<<missModelBits<<missTimeBits | modelsTag(models)<<missTimeBits | missTime(now))
}

// announce notes that an answer is in the level.
func (f *filter) announce(fp uint64, now time.Time) {
	if t := f.turns.Load(); now.UnixNano()-t.began >= int64(f.span) {
		f.take(t, now)
	}
	if young := f.turns.Load().young; young.add(fp) && young.full() && young.size() < f.bits {
		f.grow(young)
	}
	place, tag := missPlace(fp)
	if v := f.missed[place].Load(); v>>missModelBits>>missTimeBits == tag {
		f.missed[place].CompareAndSwap(v, 0)
	}
}

// take begins a new turn behind t, as large as that has become.
func (f *filter) take(t *turns, now time.Time) {
	f.turn.Lock()
	defer f.turn.Unlock()
	if f.turns.Load() == t {
		f.turns.Store(&turns{began: now.UnixNano(), young: newBloom(t.young.size(), nil), older: t.young})
	}
}

// grow puts a larger one before the young one that is full.
func (f *filter) grow(full *bloom) {
	f.turn.Lock()
	defer f.turn.Unlock()
	if t := f.turns.Load(); t.young == full {
		f.turns.Store(&turns{began: t.began, young: newBloom(min(f.bits, full.size()*bloomGrows), full), older: t.older})
	}
}

// follow says that everything stored from since on has been announced.
func (f *filter) follow(since int64) {
	if f.since.Load() == never {
		f.since.Store(since)
	}
	f.behind.Store(false)
}

// lag says that something may have been stored and will be announced later.
func (f *filter) lag() { f.behind.Store(true) }

// lose says that something may have been stored that will not be announced.
func (f *filter) lose() {
	f.behind.Store(true)
	f.since.Store(never)
}

// A slot of missed packs a question, the models and the time: what does not fit
// is left out, so a question may be taken for another one in 2⁻⁴⁰ of cases, and
// is then made again.
const (
	missTimeBits  = 20 // ticks: three hours, then it begins anew
	missModelBits = 12
	missTimeMask  = 1<<missTimeBits - 1
	missModelMask = 1<<missModelBits - 1
)

func missPlace(fp uint64) (place, tag uint64) { return fp % missSlots, fp >> 32 }

func missTime(now time.Time) uint64 { return uint64(now.UnixNano()/int64(missTick)) & missTimeMask }

// modelsTag tells lists of models apart (FNV-1a).
func modelsTag(models []string) uint64 {
	h := uint64(14695981039346656037)
	for _, m := range models {
		for i := range len(m) {
			h = (h ^ uint64(m[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	return (h >> 40) & missModelMask
}

// bloom is a Bloom filter that may be read and added to at once. What is in
// smaller ones is in it, too.
type bloom struct {
	words   []atomic.Uint64
	added   atomic.Int64 // elements, without those that seemed to be there
	smaller *bloom       // nil: none
}

const (
	bloomProbes = 4       // how many bits an element sets: right for 6 bits each
	bloomSpares = 8       // bits for each element of one that is full: it is wrong of one in forty
	bloomGrows  = 4       // how much larger the next one is
	leastBits   = 1 << 19 // of the first, 64 KiB: for 65,000 elements
)

func newBloom(bits uint64, smaller *bloom) *bloom {
	return &bloom{words: make([]atomic.Uint64, bits/64), smaller: smaller}
}

// size is in bits, without smaller ones.
func (b *bloom) size() uint64 { return uint64(len(b.words)) * 64 }

func (b *bloom) full() bool { return uint64(b.added.Load())*bloomSpares >= b.size() }

// add reports whether an element was not there.
func (b *bloom) add(fp uint64) bool {
	isNew := false
	for i := range uint64(bloomProbes) {
		word, bit := b.place(fp, i)
		if b.words[word].Or(bit)&bit == 0 {
			isNew = true
		}
	}
	if isNew {
		b.added.Add(1)
	}
	return isNew
}

// has reports whether an element may be there. There is none in nil.
func (b *bloom) has(fp uint64) bool {
	for ; b != nil; b = b.smaller {
		if b.holds(fp) {
			return true
		}
	}
	return false
}

func (b *bloom) holds(fp uint64) bool {
	for i := range uint64(bloomProbes) {
		if word, bit := b.place(fp, i); b.words[word].Load()&bit == 0 {
			return false
		}
	}
	return true
}

// place is where probe i of an element is. Its fingerprint is random as it is;
// the halves make as many places as are wanted (Kirsch and Mitzenmacher 2006).
func (b *bloom) place(fp, i uint64) (word int, bit uint64) {
	at := (fp&math.MaxUint32 + i*(fp>>32|1)) % b.size()
	return int(at / 64), 1 << (at % 64)
}
