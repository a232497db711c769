package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

var (
	// ErrNoKey says that a key is needed, and that none was sent or another.
	ErrNoKey = errors.New("no valid key")
	// ErrEnded says that a key is not valid any more.
	ErrEnded = errors.New("the key has expired or was revoked")
	// ErrUnsure says that it cannot be found out now whose a key is.
	ErrUnsure = errors.New("keys cannot be read now")
)

// Finder looks for a key where keys are stored.
type Finder interface {
	// FindKey gives the key that a secret belongs to, or ErrUnknown.
	FindKey(ctx context.Context, h Hash) (Key, error)
}

// Keys knows whose a key is. What it knows is a moment old: see Follow. Its
// exported fields are set once, before it is used. It is safe for concurrent
// use.
type Keys struct {
	Finder Finder        // nil: there are no keys but the admin's
	Grace  time.Duration // how long keys that are known go on while none can be read

	open    bool
	admin   Hash
	known   atomic.Pointer[ring]
	changes sync.Mutex
	flights singleflight.Group
	looks   bucket
	turns   chan struct{}
	absent  absences
}

// ring is what is known at a time. It is never changed.
type ring struct {
	byID   map[string]*entry
	byHash map[Hash]*held
	read   time.Time // when the last look at all that has changed began
}

func newRing() *ring { return &ring{byID: map[string]*entry{}, byHash: map[Hash]*held{}} }

// entry is a key, with when it was seen by itself.
type entry struct {
	Key
	seen time.Time
	used *atomic.Int64 // Unix seconds; shared by all that the key has been
}

// held is a secret of a key.
type held struct {
	*entry
	hash  Hash
	until *time.Time
}

const (
	// freshFor is how old what is known may be, for a key that is not among it
	// to be looked for once more and then be called unknown.
	freshFor     = 5 * time.Second
	usualGrace   = time.Hour
	lookWithin   = time.Second
	looksAtOnce  = 2
	looksPerSec  = 50
	looksAtFirst = 100
)

// NewKeys makes Keys with the admin key, or, when it is empty, Keys that let
// everybody in.
func NewKeys(adminKey string) *Keys {
	k := &Keys{open: adminKey == "", admin: hashOf(adminKey), Grace: usualGrace, turns: make(chan struct{}, looksAtOnce)}
	k.known.Store(newRing())
	return k
}

// Open reports whether callers need no key.
func (k *Keys) Open() bool { return k.open }

// Caller finds out whose key was presented, at a time. Keys that are known cost
// no look at a store, and no allocation. What is not known is ErrNoKey only
// where that is certain: else it is ErrUnsure. Where no key is needed, one that
// there certainly is not is as good as none.
//
// How long it takes does not tell how much of a key was right: keys are found
// by their SHA-256, of which nobody can choose a part, and compared in constant
// time.
func (k *Keys) Caller(ctx context.Context, presented string, now time.Time) (Caller, error) {
	if presented == "" {
		return k.without()
	}
	hash := hashOf(presented)
	if subtle.ConstantTimeCompare(hash[:], k.admin[:]) == 1 && !k.open {
		return everywhere(), nil
	}
	known := k.known.Load()
	if h := known.byHash[hash]; h != nil && subtle.ConstantTimeCompare(hash[:], h.hash[:]) == 1 {
		return k.admit(h, known, now)
	}
	return k.unknown(ctx, presented, hash, now)
}

// without is who sends no key, or one that there is not.
func (k *Keys) without() (Caller, error) {
	if k.open {
		return everywhere(), nil
	}
	return Caller{}, ErrNoKey
}

// admit lets in who has a key that is known.
func (k *Keys) admit(h *held, known *ring, now time.Time) (Caller, error) {
	e := h.entry
	switch {
	case e.RevokedAt != nil, e.ExpiresAt != nil && !now.Before(*e.ExpiresAt), h.until != nil && !now.Before(*h.until):
		return Caller{}, ErrEnded
	case now.Sub(known.read) > k.Grace && now.Sub(e.seen) > k.Grace:
		return Caller{}, ErrUnsure
	}
	if second := now.Unix(); e.used.Load() < second {
		e.used.Store(second)
	}
	c := Caller{Project: e.Project, KeyID: e.ID, Role: e.Role, Key: &e.Key}
	if e.Project == AllProjects {
		c.Project, c.Anywhere = everywhere().Project, true
	}
	return c, nil
}

// Holder is Caller for who has shown a key before, by what is kept of it: what
// is said of that key now holds for them. A key that there is no more is
// ErrEnded.
func (k *Keys) Holder(ctx context.Context, hash Hash, now time.Time) (Caller, error) {
	if subtle.ConstantTimeCompare(hash[:], k.admin[:]) == 1 && !k.open {
		return everywhere(), nil
	}
	known := k.known.Load()
	if h := known.byHash[hash]; h != nil && subtle.ConstantTimeCompare(hash[:], h.hash[:]) == 1 {
		return k.admit(h, known, now)
	}
	if k.Finder == nil {
		return Caller{}, ErrEnded
	}
	c, err := k.look(ctx, hash, now)
	if errors.Is(err, ErrNoKey) || err == nil && c.Key == nil {
		return Caller{}, ErrEnded
	}
	return c, err
}

// unknown is who sends a key that is not known. What cannot be a key needs no
// look; while nothing can be read, not even that is called wrong, so that no
// outage turns callers away for good.
func (k *Keys) unknown(ctx context.Context, presented string, hash Hash, now time.Time) (Caller, error) {
	switch wellFormed := WellFormed(presented); {
	case k.Finder == nil, !wellFormed && (k.open || k.fresh(now)):
		return k.without()
	case !wellFormed:
		return Caller{}, ErrUnsure
	}
	return k.look(ctx, hash, now)
}

// look looks for a key where keys are stored, unless that was done a moment ago.
func (k *Keys) look(ctx context.Context, hash Hash, now time.Time) (Caller, error) {
	if k.absent.has(hash, now) {
		return k.without()
	}
	found, err := k.find(ctx, hash, now)
	switch {
	case errors.Is(err, ErrUnknown):
		k.absent.add(hash, now)
		return k.without()
	case err != nil:
		return Caller{}, errors.Join(ErrUnsure, err)
	}
	k.add(found, now)
	known := k.known.Load()
	if h := known.byHash[hash]; h != nil {
		return k.admit(h, known, now)
	}
	return Caller{}, ErrEnded // a secret of a key that has others by now
}

func (k *Keys) fresh(now time.Time) bool { return now.Sub(k.known.Load().read) <= freshFor }

// Age is how old what is known is, at most a year.
func (k *Keys) Age(now time.Time) time.Duration {
	const year = 365 * 24 * time.Hour
	return min(now.Sub(k.known.Load().read), year)
}

// find looks for one key, once for all who present it. So many looks are made
// and no more: whoever sends what looks like keys does not keep the store busy.
func (k *Keys) find(ctx context.Context, hash Hash, now time.Time) (Key, error) {
	flight := k.flights.DoChan(string(hash[:]), func() (any, error) {
		if !k.looks.take(now) {
			return Key{}, errors.New("too many unknown keys are looked for")
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookWithin)
		defer cancel()
		select {
		case k.turns <- struct{}{}:
			defer func() { <-k.turns }()
			return k.Finder.FindKey(ctx, hash)
		case <-ctx.Done():
			return Key{}, ctx.Err()
		}
	})
	select {
	case <-ctx.Done():
		return Key{}, ctx.Err()
	case found := <-flight:
		key, _ := found.Val.(Key)
		return key, found.Err
	}
}

// Add takes a key that this process has made or changed: it need not be read.
func (k *Keys) Add(key Key, now time.Time) { k.add(key, now) }

func (k *Keys) add(key Key, now time.Time) {
	k.changes.Lock()
	defer k.changes.Unlock()
	next := k.known.Load().clone()
	next.put(key, now)
	k.known.Store(next)
}

// take learns what was read, in a look that began at a time. all says that it
// is all there is: what is known besides is gone.
func (k *Keys) take(changed []Key, all bool, began time.Time) {
	k.changes.Lock()
	defer k.changes.Unlock()
	before := k.known.Load()
	var next *ring
	switch {
	case all:
		next = before.only(changed)
	case before.anyNew(changed):
		next = before.clone()
	default:
		next, changed = &ring{byID: before.byID, byHash: before.byHash}, nil
	}
	for _, key := range changed {
		next.put(key, time.Time{}) // what is newer of the two stays
	}
	next.read = began
	k.known.Store(next)
}

// only is what is known of some keys.
func (r *ring) only(keys []Key) *ring {
	kept := newRing()
	for _, key := range keys {
		if known := r.byID[key.ID]; known != nil {
			kept.put(known.Key, known.seen)
			kept.byID[key.ID].used = known.used
		}
	}
	return kept
}

func (r *ring) clone() *ring {
	return &ring{byID: maps.Clone(r.byID), byHash: maps.Clone(r.byHash), read: r.read}
}

func (r *ring) anyNew(keys []Key) bool {
	for _, key := range keys {
		if known := r.byID[key.ID]; known == nil || key.ChangedAt.After(known.ChangedAt) {
			return true
		}
	}
	return false
}

// put puts a key in the place of what was known of it, unless that is newer:
// a look that began earlier may end later.
func (r *ring) put(key Key, seen time.Time) {
	e := &entry{Key: key, seen: seen, used: new(atomic.Int64)}
	if before := r.byID[key.ID]; before != nil {
		if key.ChangedAt.Before(before.ChangedAt) || key.ChangedAt.Equal(before.ChangedAt) && seen.Before(before.seen) {
			return
		}
		e.used = before.used
		for _, s := range before.Secrets {
			delete(r.byHash, s.Hash)
		}
	}
	r.byID[key.ID] = e
	for _, s := range key.Secrets {
		r.byHash[s.Hash] = &held{entry: e, hash: s.Hash, until: s.Until}
	}
}

// bucket lets so many through a second.
type bucket struct {
	mu   sync.Mutex
	left float64
	at   time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at.IsZero() {
		b.left = looksAtFirst
	} else if passed := now.Sub(b.at); passed > 0 {
		b.left = min(b.left+passed.Seconds()*looksPerSec, looksAtFirst)
	}
	if b.at.IsZero() || now.After(b.at) {
		b.at = now
	}
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// absences are hashes that no key has. Nobody can know a key before it is
// stored, so what there is not will not be.
type absences struct {
	mu    sync.Mutex
	since map[Hash]time.Time
}

const (
	absentFor  = time.Minute
	mostAbsent = 10_000
)

func (a *absences) has(h Hash, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	since, ok := a.since[h]
	return ok && now.Sub(since) < absentFor
}

func (a *absences) add(h Hash, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since == nil || len(a.since) >= mostAbsent {
		a.since = map[Hash]time.Time{}
	}
	a.since[h] = now
}
