package cache

import (
	"crypto/sha256"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// memory is the level in the process, bounded by bytes. It is a SIEVE: entries
// stay in the order they came, a hit only marks its entry, and for room a hand
// passes from the oldest on, spares what was marked since it last came by, and
// takes what was not. Entries that nobody asks for again go first: a flood of
// new questions displaces itself, and not what is in use.
type memory struct {
	shards  []shard
	evicted atomic.Int64 // for room
	largest int64        // size of an entry that is kept
}

// slot is a place for one answer. A question has one for each model that
// answered it.
type slot struct {
	key   [sha256.Size]byte
	model string
}

// shard is a part of memory with a lock of its own.
type shard struct {
	mu       sync.Mutex
	nodes    map[slot]*node
	requests map[uuid.UUID]*node // by the request that made the entry
	ring     node                // between the newest, ring.next, and the oldest, ring.prev
	hand     *node
	bytes    int64
	limit    int64
	_        [64]byte // so that neighbours do not share a cache line
}

type node struct {
	slot       slot
	entry      *Entry
	until      int64 // Unix nanoseconds
	size       int64
	marked     bool
	prev, next *node // the newer one and the older one
}

const (
	mostShards = 16
	shardBytes = 1 << 20 // at least, so that large entries fit
)

// newMemory makes a memory of so many bytes; without any it keeps nothing.
func newMemory(limit int64) *memory {
	n := int64(1)
	if full := limit / shardBytes; full > 1 {
		n = min(int64(1)<<(bits.Len64(uint64(full))-1), mostShards)
	}
	m := &memory{shards: make([]shard, n), largest: limit / n / 2}
	for i := range m.shards {
		s := &m.shards[i]
		s.nodes, s.requests, s.limit = map[slot]*node{}, map[uuid.UUID]*node{}, limit/n
		s.ring.prev, s.ring.next = &s.ring, &s.ring
		s.hand = &s.ring
	}
	return m
}

func (m *memory) shard(key *[sha256.Size]byte) *shard {
	return &m.shards[int(key[sha256.Size-1])%len(m.shards)] // the first bytes may name a process's keys elsewhere
}

// get returns the answer of the first model that has one, or nil.
func (m *memory) get(key *[sha256.Size]byte, models []string, now time.Time) *Entry {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, model := range models {
		n := s.nodes[slot{*key, model}]
		if n == nil {
			continue
		}
		if n.until <= now.UnixNano() {
			s.remove(n)
			continue
		}
		n.marked = true
		return n.entry
	}
	return nil
}

// put keeps an entry until a time, in place of the one in its slot, unless
// stale says that it was to be forgotten in the meantime.
func (m *memory) put(key *[sha256.Size]byte, e *Entry, until time.Time, stale func() bool) {
	size := e.size()
	if size > m.largest {
		return
	}
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if stale() {
		return
	}
	at := slot{*key, e.Model}
	if n := s.nodes[at]; n != nil {
		s.remove(n)
	}
	for s.bytes+size > s.limit {
		s.remove(s.pick())
		m.evicted.Add(1)
	}
	n := &node{slot: at, entry: e, until: until.UnixNano(), size: size, prev: &s.ring, next: s.ring.next}
	n.next.prev, s.ring.next = n, n
	s.nodes[at], s.requests[e.RequestID] = n, n
	s.bytes += size
}

// pick moves the hand to what goes next. There is something: an entry that did
// not fit into an empty shard is not kept.
func (s *shard) pick() *node {
	for {
		if s.hand == &s.ring {
			s.hand = s.ring.prev
		}
		n := s.hand
		if !n.marked {
			return n
		}
		n.marked = false
		s.hand = n.prev
	}
}

func (s *shard) remove(n *node) {
	if s.hand == n {
		s.hand = n.prev
	}
	n.prev.next, n.next.prev = n.next, n.prev
	delete(s.nodes, n.slot)
	if s.requests[n.entry.RequestID] == n {
		delete(s.requests, n.entry.RequestID)
	}
	s.bytes -= n.size
}

// forgetRequest removes the entry that a request made, if gone says yes to it.
func (m *memory) forgetRequest(gone func(*Entry) bool, id uuid.UUID) int {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n := s.requests[id]
		found := n != nil && gone(n.entry)
		if found {
			s.remove(n)
		}
		s.mu.Unlock()
		if found {
			return 1
		}
	}
	return 0
}

// forget removes the entries that gone says yes to. It looks at all: nobody
// deletes users as often as they ask.
func (m *memory) forget(gone func(*Entry) bool) int {
	removed := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for _, n := range s.nodes {
			if gone(n.entry) {
				s.remove(n)
				removed++
			}
		}
		s.mu.Unlock()
	}
	return removed
}

// usage is how many bytes and entries there are.
func (m *memory) usage() (bytes, entries int64) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		bytes += s.bytes
		entries += int64(len(s.nodes))
		s.mu.Unlock()
	}
	return bytes, entries
}
