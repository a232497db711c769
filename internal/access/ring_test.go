package access_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/access"
)

var errAway = errors.New("the store is away")

// store keeps keys as PostgreSQL does.
type store struct {
	mu    sync.Mutex
	keys  map[string]access.Key
	clock int // of changes
	used  map[string]time.Time
	looks atomic.Int64
	away  atomic.Bool
	hold  chan struct{} // looks wait for it, where there is one
}

func newStore() *store { return &store{keys: map[string]access.Key{}, used: map[string]time.Time{}} }

var epoch = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// change puts a key, as changed now.
func (s *store) change(k access.Key) access.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock++
	k.ChangedAt = epoch.Add(time.Duration(s.clock))
	s.keys[k.ID] = k
	return k
}

func (s *store) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, id)
}

func (s *store) FindKey(ctx context.Context, h access.Hash) (access.Key, error) {
	s.looks.Add(1)
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return access.Key{}, ctx.Err()
		}
	}
	if s.away.Load() {
		return access.Key{}, errAway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		for _, secret := range k.Secrets {
			if secret.Hash == h {
				return k, nil
			}
		}
	}
	return access.Key{}, fmt.Errorf("find: %w", access.ErrUnknown)
}

func (s *store) KeysSince(_ context.Context, since time.Time) (changed []access.Key, next time.Time, err error) {
	if s.away.Load() {
		return nil, since, errAway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		if !k.ChangedAt.Before(since) && (k.RevokedAt == nil || !since.IsZero()) {
			changed = append(changed, k)
		}
	}
	return changed, epoch.Add(time.Duration(s.clock)), nil
}

func (s *store) KeysUsed(_ context.Context, used map[string]time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, at := range used {
		s.used[id] = at
	}
	return nil
}

// makeKey makes a key with a secret, unknown to any store.
func makeKey(id, project string, role access.Role) (access.Key, access.Secret) {
	secret := access.NewSecret()
	return access.Key{ID: id, Name: id, Project: project, Role: role, CreatedAt: epoch,
		Secrets: []access.Stored{{Hash: secret.Hash(), Prefix: secret.Prefix()}}}, secret
}

func newRing(s *store, adminKey string) *access.Keys {
	k := access.NewKeys(adminKey)
	if s != nil {
		k.Finder = s
	}
	return k
}

func update(t *testing.T, k *access.Keys, s *store, since time.Time) time.Time {
	t.Helper()
	next, err := k.Update(t.Context(), s, since)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func wantError(t *testing.T, what string, k *access.Keys, presented string, now time.Time, want error) {
	t.Helper()
	c, err := k.Caller(t.Context(), presented, now)
	if !errors.Is(err, want) || want != nil && c != (access.Caller{}) {
		t.Errorf("%s: %+v, %v, want %v", what, c, err, want)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	s := newStore()
	k := newRing(s, "")
	if !k.Open() {
		t.Error("not open without an admin key")
	}
	key, secret := makeKey("a", "acme", access.RoleRead)
	s.change(key)
	update(t, k, s, time.Time{})
	now := time.Now()
	for _, presented := range []string{"", "anything", "sk-of-somebody-else", access.NewSecret().Reveal()} {
		if c, err := k.Caller(t.Context(), presented, now); err != nil || c != deployment {
			t.Errorf("key %q: %+v, %v", presented, c, err)
		}
	}
	if c, err := k.Caller(t.Context(), secret.Reveal(), now); err != nil || c.Project != "acme" || c.Role != access.RoleRead {
		t.Errorf("a key that is known applies: %+v, %v", c, err)
	}
	s.away.Store(true)
	wantError(t, "what may be a key, while none can be read", k, access.NewSecret().Reveal(), now, access.ErrUnsure)
	wantError(t, "what cannot be one", k, "sk-of-somebody-else", now.Add(time.Hour), nil)
}

func TestAdminKey(t *testing.T) {
	t.Parallel()
	k := newRing(nil, "secret")
	if k.Open() {
		t.Error("open in spite of an admin key")
	}
	now := time.Now()
	if c, err := k.Caller(t.Context(), "secret", now); err != nil || c != deployment {
		t.Errorf("the admin is %+v, %v", c, err)
	}
	for _, presented := range []string{"", "secre", "secret ", " secret", "Secret", "secret\x00", strings.Repeat("secret", 10_000), access.NewSecret().Reveal()} {
		wantError(t, fmt.Sprintf("%.20q", presented), k, presented, now, access.ErrNoKey)
	}
}

// TestLife of one key: made, known, rotated, expired, revoked.
func TestLife(t *testing.T) {
	t.Parallel()
	s := newStore()
	k := newRing(s, "admin")
	now := time.Now()
	key, secret := makeKey("a", "acme", access.RoleComplete)
	key.ExpiresAt = new(now.Add(48 * time.Hour))
	key = s.change(key)
	since := update(t, k, s, time.Time{})
	c, err := k.Caller(t.Context(), secret.Reveal(), now)
	if err != nil || c.Project != "acme" || c.KeyID != "a" || c.Role != access.RoleComplete || c.Anywhere || c.Key == nil || c.Key.Name != "a" {
		t.Fatalf("%+v, %v", c, err)
	}
	second := access.NewSecret()
	if err := key.Rotate(access.Stored{Hash: second.Hash(), Prefix: second.Prefix()}, time.Hour, now); err != nil {
		t.Fatal(err)
	}
	if key.Prefix != second.Prefix() || len(key.Overlapping) != 1 || key.Overlapping[0].Prefix != secret.Prefix() || !key.Overlapping[0].Until.Equal(now.Add(time.Hour)) {
		t.Errorf("rotated: %+v", key)
	}
	key = s.change(key)
	since = update(t, k, s, since)
	wantError(t, "the new secret", k, second.Reveal(), now, nil)
	wantError(t, "the old secret, in the overlap", k, secret.Reveal(), now.Add(time.Hour-1), nil)
	later := now.Add(time.Hour)
	k.Grace = 100 * time.Hour
	wantError(t, "the old secret, after it", k, secret.Reveal(), later, access.ErrEnded)
	wantError(t, "the new one goes on", k, second.Reveal(), later, nil)
	wantError(t, "before it expires", k, second.Reveal(), now.Add(48*time.Hour-1), nil)
	wantError(t, "when it expires", k, second.Reveal(), now.Add(48*time.Hour), access.ErrEnded)
	key.RevokedAt = &now
	s.change(key)
	update(t, k, s, since)
	wantError(t, "revoked", k, second.Reveal(), now, access.ErrEnded)
	if s.looks.Load() != 0 {
		t.Errorf("%d looks for keys that are known", s.looks.Load())
	}
}

// Keys whose caller chooses the project.
func TestAllProjects(t *testing.T) {
	t.Parallel()
	s := newStore()
	k := newRing(s, "admin")
	key, secret := makeKey("a", access.AllProjects, access.RoleOperate)
	s.change(key)
	update(t, k, s, time.Time{})
	c, err := k.Caller(t.Context(), secret.Reveal(), time.Now())
	if err != nil || c.Project != "default" || !c.Anywhere || c.Role != access.RoleOperate {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestUnknown: a key that another process has just made is found; one that
// there is not is looked for once; nothing is looked for that cannot be a key.
func TestUnknown(t *testing.T) {
	t.Parallel()
	s := newStore()
	k := newRing(s, "admin")
	update(t, k, s, time.Time{})
	now := time.Now()
	key, secret := makeKey("new", "acme", access.RoleRead)
	s.change(key)
	for range 3 {
		wantError(t, "one that was just made", k, secret.Reveal(), now, nil)
	}
	if n := s.looks.Load(); n != 1 {
		t.Errorf("%d looks for a key that was found", n)
	}
	stranger := access.NewSecret().Reveal()
	for range 3 {
		wantError(t, "one that there is not", k, stranger, now, access.ErrNoKey)
	}
	for _, nonsense := range []string{"x", "busu_x", stranger[:63] + "!"} {
		wantError(t, nonsense, k, nonsense, now, access.ErrNoKey)
	}
	wantError(t, "no key", k, "", now, access.ErrNoKey)
	if n := s.looks.Load(); n != 2 {
		t.Errorf("%d looks in all", n)
	}
}

// TestAway: while no key can be read, those that are known work for the grace,
// and what is unknown is never called wrong.
func TestAway(t *testing.T) {
	t.Parallel()
	s := newStore()
	k := newRing(s, "admin")
	k.Grace = 10 * time.Minute
	key, secret := makeKey("a", "acme", access.RoleRead)
	s.change(key)
	update(t, k, s, time.Time{})
	read := time.Now()
	s.away.Store(true)
	if _, err := k.Update(t.Context(), s, epoch); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	other := access.NewSecret().Reveal()
	for _, passed := range []time.Duration{0, 9 * time.Minute, 11 * time.Minute} {
		now := read.Add(passed)
		wantError(t, "unknown", k, other, now, access.ErrUnsure)
		wantError(t, "no key", k, "", now, access.ErrNoKey)
		wantError(t, "the admin", k, "admin", now, nil)
		if want := access.ErrUnsure; passed > k.Grace {
			wantError(t, "after the grace", k, secret.Reveal(), now, want)
		} else {
			wantError(t, "in the grace", k, secret.Reveal(), now, nil)
		}
	}
	wantError(t, "what cannot be a key, while nothing is known for sure", k, "nonsense", read.Add(time.Minute), access.ErrUnsure)
	s.away.Store(false)
	update(t, k, s, epoch)
	wantError(t, "it is back", k, secret.Reveal(), time.Now(), nil)
	wantError(t, "it is back, unknown", k, other, time.Now(), access.ErrNoKey)
}

// TestStartWithout a store.
func TestStartWithoutStore(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.away.Store(true)
	k := newRing(s, "admin")
	key, secret := makeKey("a", "acme", access.RoleRead)
	s.change(key)
	now := time.Now()
	wantError(t, "the admin", k, "admin", now, nil)
	wantError(t, "any other", k, secret.Reveal(), now, access.ErrUnsure)
	wantError(t, "nonsense", k, "nonsense", now, access.ErrUnsure)
	s.away.Store(false)
	wantError(t, "found before all are read", k, secret.Reveal(), now, nil)
}

// TestFlood: however many unknown keys come, the store is asked for a few.
func TestFlood(t *testing.T) {
	t.Parallel()
	s := newStore()
	k := newRing(s, "admin")
	update(t, k, s, time.Time{})
	now := time.Now()
	refused := 0
	for range 1000 {
		_, err := k.Caller(t.Context(), access.NewSecret().Reveal(), now)
		if errors.Is(err, access.ErrUnsure) {
			refused++
		} else if !errors.Is(err, access.ErrNoKey) {
			t.Fatal(err)
		}
	}
	if n := s.looks.Load(); n != 100 || refused != 900 {
		t.Errorf("%d looks, %d are refused for now", n, refused)
	}
	wantError(t, "a second later", k, access.NewSecret().Reveal(), now.Add(time.Second), access.ErrNoKey)
}

// Many who present the same new key wait for one look.
func TestOneLookForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.hold = make(chan struct{})
		k := newRing(s, "admin")
		key, secret := makeKey("a", "acme", access.RoleRead)
		s.change(key)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { wantError(t, "new", k, secret.Reveal(), time.Now(), nil) })
		}
		synctest.Wait()
		close(s.hold)
		all.Wait()
		if n := s.looks.Load(); n != 1 {
			t.Errorf("%d looks", n)
		}
	})
}

// What was read earlier and arrives later does not bring back a revoked key.
func TestLateNews(t *testing.T) {
	t.Parallel()
	s := newStore()
	k := newRing(s, "admin")
	key, secret := makeKey("a", "acme", access.RoleRead)
	before := s.change(key)
	since := update(t, k, s, time.Time{})
	now := time.Now()
	revoked := before
	revoked.RevokedAt = &now
	s.change(revoked)
	update(t, k, s, since)
	k.Add(before, now)
	wantError(t, "revoked", k, secret.Reveal(), now, access.ErrEnded)
	late := newStore()
	late.keys["a"] = before
	update(t, k, late, time.Time{})
	wantError(t, "still", k, secret.Reveal(), now, access.ErrEnded)
}

// Keys that are gone without having been revoked, because the database was set
// back, are noticed when all are read.
func TestGone(t *testing.T) {
	t.Parallel()
	s := newStore()
	k := newRing(s, "admin")
	key, secret := makeKey("a", "acme", access.RoleRead)
	kept, other := makeKey("b", "acme", access.RoleRead)
	s.change(key)
	s.change(kept)
	update(t, k, s, time.Time{})
	s.remove("a")
	update(t, k, s, time.Time{})
	wantError(t, "gone", k, secret.Reveal(), time.Now(), access.ErrNoKey)
	wantError(t, "kept", k, other.Reveal(), time.Now(), nil)
}
