package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/prompt"
	"github.com/busuhq/busu/internal/worker"
)

// school keeps lessons and snapshots, and fails now and then.
type school struct {
	mu        sync.Mutex
	random    *rand.Rand
	fails     float64
	lessons   []learning.Numbered
	snapshots map[learning.Learner][]learning.Snapshot
	models    map[learning.Learner]map[int64][]byte
	owner     string
	until     time.Time
	decided   []*event.CompletionRecorded
}

func newSchool(seed uint64, fails float64) *school {
	return &school{random: rand.New(rand.NewPCG(seed, 1)), fails: fails,
		snapshots: map[learning.Learner][]learning.Snapshot{}, models: map[learning.Learner]map[int64][]byte{}}
}

var errAway = errors.New("away")

// away is called by who has the lock.
func (s *school) away() error {
	if s.random.Float64() < s.fails {
		return errAway
	}
	return nil
}

func (s *school) Lessons(_ context.Context, after int64, most int) ([]learning.Numbered, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.lessons[min(int(after), len(s.lessons)):]
	return rest[:min(most, len(rest))], s.away()
}

func (s *school) AppendLessons(_ context.Context, lessons []learning.Numbered) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.away(); err != nil {
		return err
	}
	for _, l := range lessons {
		l.N = int64(len(s.lessons) + 1)
		s.lessons = append(s.lessons, l)
	}
	return nil
}

func (s *school) Latest(context.Context) (all []learning.Snapshot, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.snapshots {
		all = append(all, list[len(list)-1])
	}
	return all, s.away()
}

func (s *school) Model(_ context.Context, l learning.Learner, number int64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.models[l][number], s.away()
}

func (s *school) Publish(_ context.Context, snapshots []learning.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.away(); err != nil {
		return err
	}
	for _, p := range snapshots {
		list := s.snapshots[p.Learner()]
		if int64(len(list)) != p.Number-1 {
			return errors.New("the number is taken, or skips one")
		}
		if s.models[p.Learner()] == nil {
			s.models[p.Learner()] = map[int64][]byte{}
		}
		if p.ModelOf == p.Number {
			s.models[p.Learner()][p.Number] = p.Model
		}
		p.Model = nil
		s.snapshots[p.Learner()] = append(list, p)
	}
	return nil
}

func (s *school) PruneSnapshots(context.Context, int) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 0, s.away()
}

func (s *school) Hold(_ context.Context, _, owner string, lasts time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != owner && time.Now().Before(s.until) {
		return false, s.away()
	}
	s.owner, s.until = owner, time.Now().Add(lasts)
	return true, s.away()
}

func (s *school) Decided(context.Context, time.Time, time.Time, int) ([]*event.CompletionRecorded, []int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := make([]int64, len(s.decided))
	return s.decided, of, s.away()
}

func (s *school) fail(share float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = share
}

// last is a learner's newest snapshot.
func (s *school) last(who learning.Learner) learning.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.snapshots[who]
	if len(list) == 0 {
		return learning.Snapshot{}
	}
	return list[len(list)-1]
}

// restore reads a snapshot as a gateway does.
func (s *school) restore(t *testing.T, last learning.Snapshot) *learning.Model {
	t.Helper()
	var base *learning.Model
	var err error
	if last.Base > 0 {
		if base, err = learning.Decode(s.models[learning.Learner{Project: learning.Everyone, Strategy: last.Strategy}][last.Base], nil); err != nil {
			t.Fatal(err)
		}
	}
	last.Model = s.models[last.Learner()][last.ModelOf]
	m, err := last.Restore(base)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// verdict adds a lesson of a random verdict.
func (s *school) verdict(project string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var reader prompt.Reader
	f, words := reader.Read(fmt.Sprintf("Why does word%d follow word%d?", s.random.IntN(40), s.random.IntN(40)))
	l := learning.Lesson{Verdict: &learning.Judged{Model: fmt.Sprint("m", s.random.IntN(2)), Quality: s.random.Float64(), Prior: .5,
		Propensity: .5, Candidates: []string{"m0", "m1"}, Features: prompt.Append(nil, &f, words)}}
	s.lessons = append(s.lessons, learning.Numbered{N: int64(len(s.lessons) + 1), Project: project, Strategy: "hybrid", Lesson: l.Encode()})
}

func (s *school) price(project string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := learning.Lesson{Decisions: &learning.Decisions{Goal: learning.Goal{Quality: .9}, Decided: []learning.Decided{
		{At: time.Now(), Turning: 50 * s.random.Float64(), Strong: s.random.Float64(), Quality: s.random.Float64(), Baseline: 1}}}}
	s.lessons = append(s.lessons, learning.Numbered{N: int64(len(s.lessons) + 1), Project: project, Strategy: "hybrid", Lesson: l.Encode()})
}

func prior(t *testing.T) *learning.Prior {
	t.Helper()
	p, err := learning.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s *school) learner(owner string, p *learning.Prior) *worker.Learner {
	return &worker.Learner{Lessons: s, Snapshots: s, Lease: s, Owner: owner, Prior: p, Start: map[string]float64{"hybrid": 7},
		Decisions: s, Goal: learning.Goal{Quality: .9}, Log: slog.New(slog.DiscardHandler)}
}

// whole is what all lessons of a project teach, learned without a break, on top
// of what its snapshot has for a base. All verdicts teach Everyone.
func (s *school) whole(t *testing.T, project string, base *learning.Model, p *learning.Prior) *learning.Model {
	t.Helper()
	m := learning.New(base, learning.Assumed())
	m.Controller.Lambda = 7
	for _, n := range s.lessons {
		l, err := learning.DecodeLesson(n.Lesson)
		if n.Project != project && (project != learning.Everyone || l.Verdict == nil) {
			continue
		}
		if err == nil {
			err = m.Apply(l, &p.Scale)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}
