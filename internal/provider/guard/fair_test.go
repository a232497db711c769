package guard

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// plainly is what fair does, in the plainest words.
type plainly struct {
	turns []string
	lines map[string][]*waiter
}

func (m *plainly) waiting() (all []*waiter) {
	for _, caller := range m.turns {
		all = append(all, m.lines[caller]...)
	}
	return all
}

func (m *plainly) longest() (n int) {
	for _, line := range m.lines {
		n = max(n, len(line))
	}
	return n
}

func (m *plainly) push(caller string, w *waiter) {
	if len(m.lines[caller]) == 0 {
		m.turns = append(m.turns, caller)
	}
	m.lines[caller] = append(m.lines[caller], w)
}

func (m *plainly) remove(w *waiter) {
	for caller, line := range m.lines {
		if i := slices.Index(line, w); i >= 0 {
			m.lines[caller] = slices.Delete(line, i, i+1)
		}
		if len(m.lines[caller]) == 0 {
			delete(m.lines, caller)
			m.turns = slices.DeleteFunc(m.turns, func(c string) bool { return c == caller })
		}
	}
}

func (m *plainly) pop() *waiter {
	if len(m.turns) == 0 {
		return nil
	}
	caller := m.turns[0]
	w := m.lines[caller][0]
	m.turns = append(m.turns[1:], caller)
	m.remove(w)
	return w
}

func TestFairDoesAsItSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(0, 12).Draw(t, "most")
		f, m := newFair(most), &plainly{lines: map[string][]*waiter{}}
		now := time.Unix(0, 0)
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if f.len() != len(m.waiting()) || f.longest != m.longest() || f.len() > most {
					t.Fatalf("%d of %d wait, the longest line has %d; it should be %d and %d", f.len(), most, f.longest, len(m.waiting()), m.longest())
				}
				oldest, ok := f.oldest()
				first := slices.MinFunc(append(m.waiting(), &waiter{since: now.Add(time.Hour)}), func(a, b *waiter) int { return a.since.Compare(b.since) })
				if ok != (f.len() > 0) || ok && !oldest.Equal(first.since) {
					t.Fatalf("the oldest has waited since %s, it should be %s", oldest, first.since)
				}
			},
			"push": func(t *rapid.T) {
				caller := fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "caller"))
				now = now.Add(time.Second)
				before, own := m.longest(), len(m.lines[caller])
				full := len(m.waiting()) == most
				w, out := f.push(caller, now)
				if (w == nil) != (full && own+1 >= before) || (out != nil) != (full && own+1 < before) {
					t.Fatalf("full: %t, a line of %d beside one of %d: in %t, out %t", full, own, before, w != nil, out != nil)
				}
				if out != nil {
					line := m.lines[out.line.caller]
					if len(line) != before || line[before-1] != out {
						t.Fatalf("%d were in the line of whom was sent out, not as the last of %d", len(line), before)
					}
					m.remove(out)
				}
				if w != nil {
					m.push(caller, w)
				}
			},
			"pop": func(t *rapid.T) {
				if got, want := f.pop(), m.pop(); got != want {
					t.Fatalf("it was the turn of %v, not of %v", want, got)
				}
			},
			"leave": func(t *rapid.T) {
				all := m.waiting()
				if len(all) == 0 {
					t.Skip("nobody waits")
				}
				w := rapid.SampledFrom(all).Draw(t, "who")
				f.remove(w)
				m.remove(w)
			},
		})
	})
}

// TestAheadIsNeverTooFew: no more are served before a new call than ahead says.
func TestAheadIsNeverTooFew(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := newFair(100)
		for _, caller := range rapid.SliceOf(rapid.IntRange(0, 4)).Draw(t, "callers") {
			if _, out := f.push(fmt.Sprint(caller), time.Time{}); out != nil {
				t.Skip("full")
			}
			if rapid.IntRange(0, 3).Draw(t, "pop") == 0 {
				f.pop()
			}
		}
		caller := fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "caller"))
		says := f.ahead(caller)
		mine, _ := f.push(caller, time.Time{})
		if mine == nil {
			t.Skip("full")
		}
		before := 0
		for f.pop() != mine {
			before++
		}
		if before > says {
			t.Fatalf("%d were served before, %d were announced", before, says)
		}
	})
}

// BenchmarkFair is a push and a pop with that many callers waiting, with that
// many calls each: the time must not grow.
func BenchmarkFair(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := newFair(n*100 + 1)
			callers := make([]string, n)
			for i := range n * 100 {
				callers[i%n] = fmt.Sprint(i % n)
				f.push(callers[i%n], time.Time{})
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				f.push(callers[i%n], time.Time{})
				f.pop()
			}
		})
	}
}
