package cache

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/llm"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func fresh() bool { return false }

// sum is the key of a question with a number.
func sum(n int) *[32]byte {
	var k [32]byte
	binary.LittleEndian.PutUint64(k[:], uint64(n))
	k[31] = byte(n)
	return &k
}

func answer(n int, model string) *Entry {
	return &Entry{Project: "p", UserID: fmt.Sprint("u", n%10), RequestID: id(n), Model: model, Response: llm.Response{Text: fmt.Sprint("answer ", n)}}
}

func id(n int) uuid.UUID {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[8:], uint64(n)+1)
	return u
}

func TestMemoryGivesTheFirstModelsAnswer(t *testing.T) {
	t.Parallel()
	m := newMemory(1 << 20)
	m.put(sum(1), answer(1, "small"), now.Add(time.Minute), fresh)
	m.put(sum(1), answer(2, "large"), now.Add(time.Minute), fresh)
	for _, c := range []struct {
		key    int
		models []string
		want   int // 0: none
	}{{1, []string{"small", "large"}, 1}, {1, []string{"large", "small"}, 2}, {1, []string{"medium", "large"}, 2},
		{1, []string{"medium"}, 0}, {1, nil, 0}, {2, []string{"small", "large"}, 0}} {
		e := m.get(sum(c.key), c.models, now)
		if got := e != nil && e.RequestID == id(c.want); got != (c.want > 0) || (e != nil) != (c.want > 0) {
			t.Errorf("%+v: got %+v", c, e)
		}
	}
	m.put(sum(1), answer(3, "small"), now.Add(time.Minute), fresh)
	if e := m.get(sum(1), []string{"small"}, now); e.RequestID != id(3) {
		t.Errorf("the newer answer did not take the place: %+v", e)
	}
	if bytes, entries := m.usage(); entries != 2 || bytes != answer(3, "small").size()+answer(2, "large").size() {
		t.Errorf("%d entries with %d bytes", entries, bytes)
	}
}

func TestMemoryForgetsInTime(t *testing.T) {
	t.Parallel()
	m := newMemory(1 << 20)
	m.put(sum(1), answer(1, "m"), now.Add(time.Minute), fresh)
	if m.get(sum(1), []string{"m"}, now.Add(time.Minute-1)) == nil {
		t.Error("gone before its time")
	}
	if m.get(sum(1), []string{"m"}, now.Add(time.Minute)) != nil {
		t.Error("there after its time")
	}
	if bytes, entries := m.usage(); bytes != 0 || entries != 0 {
		t.Errorf("%d bytes, %d entries are left", bytes, entries)
	}
}

// Whatever is put, got and forgotten: the bytes are those of what is there, and
// never more than the limit. What is too large is not kept.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{0, 5_000, 100_000, 3 << 20} {
		m := newMemory(limit)
		r := rand.New(rand.NewPCG(uint64(limit), 0))
		live := map[int]bool{}
		for i := range 20_000 {
			switch n := r.IntN(500); r.IntN(10) {
			case 0:
				m.forgetRequest(func(*Entry) bool { return true }, id(n))
			case 1:
				m.get(sum(n), []string{"m"}, now.Add(time.Duration(r.IntN(3))*time.Second))
			case 2:
				if i%100 == 0 {
					m.forget(func(e *Entry) bool { return e.UserID == "u3" })
				}
			default:
				e := answer(n, "m")
				e.Response.Text = strings.Repeat("x", r.IntN(5000))
				m.put(sum(n), e, now.Add(time.Duration(r.IntN(5))*time.Second), fresh)
				live[n] = true
			}
			if bytes, _ := m.usage(); bytes > limit || bytes < 0 {
				t.Fatalf("%d bytes of %d", bytes, limit)
			}
		}
		m.forget(func(*Entry) bool { return true })
		if bytes, entries := m.usage(); bytes != 0 || entries != 0 {
			t.Errorf("limit %d: %d bytes, %d entries are left of nothing", limit, bytes, entries)
		}
		for i := range m.shards {
			if s := &m.shards[i]; len(s.requests) != 0 || s.ring.next != &s.ring || s.ring.prev != &s.ring || s.hand != &s.ring {
				t.Errorf("limit %d: shard %d keeps something of what was forgotten", limit, i)
			}
		}
	}
}

// A flood of questions that nobody asks twice displaces itself, and not what is
// asked for now and then; and it takes no more memory than it may.
func TestAFloodDisplacesItself(t *testing.T) { // alone: it measures the heap of the process
	const limit, hot = 8 << 20, 2000
	m := newMemory(limit)
	use := func() (hits int) {
		for n := range hot {
			if m.get(sum(n), []string{"m"}, now) != nil {
				hits++
			} else {
				m.put(sum(n), answer(n, "m"), now.Add(time.Hour), fresh)
			}
		}
		return hits
	}
	use()
	use()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for n := range 300_000 {
		m.put(sum(hot+n), answer(hot+n, "m"), now.Add(time.Hour), fresh)
		if n%30_000 == 0 {
			use()
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if hits := use(); hits < hot*9/10 {
		t.Errorf("after the flood %d of %d were left of what is in use", hits, hot)
	}
	if m.evicted.Load() == 0 {
		t.Error("nothing was evicted")
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2*limit {
		t.Errorf("%d bytes of heap for a limit of %d", grown, limit)
	}
}

// What was to be forgotten while it was on its way is not kept.
func TestMemoryKeepsNothingStale(t *testing.T) {
	t.Parallel()
	m := newMemory(1 << 20)
	m.put(sum(1), answer(1, "m"), now.Add(time.Hour), func() bool { return true })
	if m.get(sum(1), []string{"m"}, now) != nil {
		t.Error("kept")
	}
}

func TestMemoryForgets(t *testing.T) {
	t.Parallel()
	m := newMemory(64 << 20)
	for n := range 100 {
		m.put(sum(n), answer(n, "m"), now.Add(time.Hour), fresh)
	}
	if n := m.forgetRequest(func(e *Entry) bool { return e.Project == "another" }, id(5)); n != 0 {
		t.Error("another project's request was forgotten")
	}
	if n := m.forgetRequest(func(e *Entry) bool { return e.Project == "p" }, id(5)); n != 1 || m.get(sum(5), []string{"m"}, now) != nil {
		t.Error("a request was not forgotten")
	}
	if n := m.forget(func(e *Entry) bool { return e.UserID == "u5" }); n != 9 {
		t.Errorf("%d of a user's entries", n)
	}
	if _, entries := m.usage(); entries != 90 {
		t.Errorf("%d entries are left", entries)
	}
}

func BenchmarkMemoryHit(b *testing.B) {
	m := newMemory(64 << 20)
	for n := range 10_000 {
		m.put(sum(n), answer(n, "m"), now.Add(time.Hour), fresh)
	}
	models := []string{"m", "n", "o"}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for n := rand.IntN(10_000); p.Next(); n++ {
			if m.get(sum(n%10_000), models, now) == nil {
				b.Error("none")
			}
		}
	})
}
