package httpapi_test

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/session"
)

// sharedSessions is what all processes know of sessions, in memory.
type sharedSessions struct {
	mu     sync.Mutex
	err    error
	secret []byte
	ends   []session.End
}

// of gives the sessions of one process.
func (f *sharedSessions) of(keys *access.Keys) *session.Sessions {
	s := &session.Sessions{Keys: keys, Idle: time.Hour, Lifetime: 12 * time.Hour, Terms: "the terms"}
	_, _ = s.Update(context.Background(), f, time.Time{})
	return s
}

func (f *sharedSessions) SessionsSince(_ context.Context, _ time.Time, fresh []byte) ([]byte, []session.End, time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.secret == nil {
		f.secret = fresh
	}
	return f.secret, f.ends, time.Now(), f.err
}

func (f *sharedSessions) EndSession(_ context.Context, e session.End) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends = append(f.ends, e)
	return f.err
}

func (f *sharedSessions) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// fakeProvider vouches for whoever has the code, and remembers what it was asked.
type fakeProvider struct {
	mu    sync.Mutex
	asked []session.Attempt
	away  bool
}

func (f *fakeProvider) Ask(_ context.Context, a session.Attempt) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return "", errors.New("no route to the provider")
	}
	f.asked = append(f.asked, a)
	return "https://login.example/authorize?state=" + a.State, nil
}

func (f *fakeProvider) Vouch(_ context.Context, answer url.Values, a session.Attempt) (access.Person, error) {
	switch {
	case answer.Get("state") != a.State:
		return access.Person{}, &session.Refusal{Reason: session.Stale, Err: errors.New("another state")}
	case answer.Get("code") == "stranger":
		return access.Person{}, &session.Refusal{Reason: session.NoRole, Name: "eve@example.com", Err: errors.New("no role")}
	case answer.Get("code") != "the code":
		return access.Person{}, errors.New("wrong code")
	}
	return access.Person{Name: "ann@example.com", Role: access.RoleOperate, Project: "acme"}, nil
}
