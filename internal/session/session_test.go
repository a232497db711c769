package session_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/session"
)

const adminKey = "an-admin-key-of-enough-characters"

// records are what all processes know, in memory.
type records struct {
	mu     sync.Mutex
	err    error
	secret []byte
	ends   []session.End
}

func (r *records) SessionsSince(_ context.Context, _ time.Time, fresh []byte) ([]byte, []session.End, time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.secret == nil {
		r.secret = fresh
	}
	return r.secret, slices.Clone(r.ends), time.Now(), r.err
}

func (r *records) EndSession(_ context.Context, e session.End) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends = append(r.ends, e)
	return r.err
}

func (r *records) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func process(t *testing.T, r *records) *session.Sessions {
	t.Helper()
	s := &session.Sessions{Keys: access.NewKeys(adminKey), Idle: time.Hour, Lifetime: 12 * time.Hour, Terms: "these"}
	if _, err := s.Update(t.Context(), r, time.Time{}); err != nil {
		t.Fatal(err)
	}
	return s
}

func begin(t *testing.T, s *session.Sessions, now time.Time) (session.Session, string) {
	t.Helper()
	one, cookie, err := s.Begin(session.Session{Key: access.HashOf(adminKey)}, now)
	if err != nil {
		t.Fatal(err)
	}
	return one, cookie
}

// TestLifetimes: idle and absolute, with what a renewal does to each.
func TestLifetimes(t *testing.T) {
	t.Parallel()
	s := process(t, new(records))
	now := time.Now()
	one, cookie := begin(t, s, now)
	for after, want := range map[time.Duration]error{0: nil, time.Hour - time.Second: nil, time.Hour: session.ErrEnded} {
		if _, err := s.Open(cookie, now.Add(after)); !errors.Is(err, want) {
			t.Errorf("after %v: %v, want %v", after, err, want)
		}
	}
	if _, again := s.Renew(one, now.Add(59*time.Second)); again != "" {
		t.Error("a cookie is renewed within a minute")
	}
	at := now
	for at.Sub(now) < 13*time.Hour {
		if _, err := s.Open(cookie, at); errors.Is(err, access.ErrUnsure) { // nothing is read meanwhile
			s.Keys.Grace = 100 * time.Hour
			continue
		} else if err != nil {
			break
		}
		before := cookie
		at = at.Add(30 * time.Minute)
		if one, cookie = s.Renew(one, at); cookie == "" || cookie == before {
			t.Fatal("it is not renewed")
		}
	}
	if lasted := at.Sub(now); lasted != 12*time.Hour {
		t.Errorf("it lasted %v, want 12h", lasted)
	}
	if ends, idle := s.EndsAt(one), s.IdleAt(one); !ends.Equal(now.Add(12*time.Hour)) || idle.After(ends) {
		t.Errorf("it ends at %v, idle at %v", ends, idle)
	}
}

// TestCookiesThatAreNone: whatever is changed of a cookie, it opens no more; and
// one of another busu, or of a sign-in under way, never did.
func TestCookiesThatAreNone(t *testing.T) {
	t.Parallel()
	s, now := process(t, new(records)), time.Now()
	_, cookie := begin(t, s, now)
	_, attempt, err := s.Attempt(now)
	if err != nil {
		t.Fatal(err)
	}
	_, foreign := begin(t, process(t, new(records)), now)
	for name, text := range map[string]string{"empty": "", "nonsense": "nonsense", "attempt": attempt, "foreign": foreign, "cut": cookie[:len(cookie)-1], "twice": cookie + cookie} {
		if _, err := s.Open(text, now); !errors.Is(err, session.ErrEnded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Attempted(cookie, now); !errors.Is(err, session.ErrEnded) {
		t.Errorf("a session is an attempt: %v", err)
	}
	if _, err := s.Attempted(attempt, now.Add(session.AttemptLasts)); !errors.Is(err, session.ErrEnded) {
		t.Errorf("an old attempt goes on: %v", err)
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	rapid.Check(t, func(t *rapid.T) {
		changed := []byte(cookie)
		// The last letter has bits that say nothing.
		at := rapid.IntRange(0, len(changed)-2).Draw(t, "at")
		letter := letters[rapid.IntRange(0, len(letters)-1).Draw(t, "letter")]
		same := changed[at] == letter
		changed[at] = letter
		if _, err := s.Open(string(changed), now); (err == nil) != same {
			t.Fatalf("%v", err)
		}
	})
}

// TestOtherTerms: a person signs in again, a key's holder goes on.
func TestOtherTerms(t *testing.T) {
	t.Parallel()
	shared, now := new(records), time.Now()
	before, after := process(t, shared), process(t, shared)
	after.Terms = "others"
	_, person, err := before.Begin(session.Session{Person: &access.Person{Name: "ann", Role: access.RoleOperate, Project: access.AllProjects}}, now)
	if err != nil {
		t.Fatal(err)
	}
	_, holder := begin(t, before, now)
	caller, _, err := before.Caller(t.Context(), person, now)
	if err != nil || caller.Person != "ann" || !caller.Anywhere || caller.Role != access.RoleOperate || caller.By(false) != "oidc:ann" {
		t.Errorf("%+v, %v", caller, err)
	}
	if _, _, err := after.Caller(t.Context(), person, now); !errors.Is(err, session.ErrEnded) {
		t.Errorf("a person goes on under other terms: %v", err)
	}
	if caller, _, err := after.Caller(t.Context(), holder, now); err != nil || caller.By(false) != access.ByAdmin {
		t.Errorf("%+v, %v", caller, err)
	}
}

// TestBeforeAnythingIsKnown, and when nothing could be read for too long, nobody
// is called wrong.
func TestBeforeAnythingIsKnown(t *testing.T) {
	t.Parallel()
	s := &session.Sessions{Keys: access.NewKeys(adminKey), Idle: time.Hour, Lifetime: 12 * time.Hour}
	now := time.Now()
	if _, _, err := s.Begin(session.Session{}, now); !errors.Is(err, access.ErrUnsure) {
		t.Errorf("begin: %v", err)
	}
	if _, _, err := s.Caller(t.Context(), "anything", now); !errors.Is(err, access.ErrUnsure) {
		t.Errorf("caller: %v", err)
	}
	known := process(t, new(records))
	known.Idle, known.Keys.Grace = 10*time.Hour, time.Hour
	_, cookie := begin(t, known, now)
	if _, err := known.Open(cookie, now.Add(2*time.Hour)); !errors.Is(err, access.ErrUnsure) {
		t.Errorf("open: %v", err)
	}
}

// TestFollow: who signs out at one process is signed out at the other within a
// second, and another secret ends all.
func TestFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := new(records)
		here, there := process(t, shared), process(t, shared)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- there.Follow(ctx, shared, slog.New(slog.DiscardHandler)) }()
		synctest.Wait()
		one, cookie := begin(t, here, time.Now())
		_, other := begin(t, here, time.Now())
		if _, err := there.Open(cookie, time.Now()); err != nil {
			t.Fatal(err)
		}
		shared.set(func() { shared.err = errors.New("no connection") })
		if err := here.End(ctx, one, shared); err == nil {
			t.Error("it is said to be written down")
		}
		if _, err := here.Open(cookie, time.Now()); !errors.Is(err, session.ErrEnded) {
			t.Errorf("it goes on where it was ended: %v", err)
		}
		shared.set(func() { shared.err = nil })
		time.Sleep(time.Second)
		synctest.Wait()
		if _, err := there.Open(cookie, time.Now()); !errors.Is(err, session.ErrEnded) {
			t.Errorf("it goes on elsewhere: %v", err)
		}
		if _, err := there.Open(other, time.Now()); err != nil {
			t.Errorf("another one has ended, too: %v", err)
		}
		shared.set(func() { shared.ends = nil })
		if _, err := here.Update(ctx, shared, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := here.Open(cookie, time.Now()); !errors.Is(err, session.ErrEnded) {
			t.Errorf("what was ended here is forgotten: %v", err)
		}
		shared.set(func() { shared.secret = nil })
		time.Sleep(time.Second)
		synctest.Wait()
		if _, err := there.Open(other, time.Now()); !errors.Is(err, session.ErrEnded) {
			t.Errorf("it goes on under another secret: %v", err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A secret of another size is no secret.
func TestNewSeal(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 16, 31, 33} {
		if _, err := session.NewSeal(make([]byte, size)); err == nil {
			t.Errorf("%d bytes will do", size)
		}
	}
}
