package httpapi_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/access"
)

// fakeKeys keeps keys and the audit log in memory.
type fakeKeys struct {
	err error // of everything

	mu    sync.Mutex
	all   []access.Key // the oldest first
	acts  []access.Act
	known *access.Keys
}

func newFakeKeys() *fakeKeys { return new(fakeKeys) }

// ring is what the API knows of them.
func (f *fakeKeys) ring(adminKey string) *access.Keys {
	f.known = access.NewKeys(adminKey)
	f.known.Finder = f
	_, _ = f.known.Update(context.Background(), f, time.Time{})
	return f.known
}

// give makes a key, and gives the secret.
func (f *fakeKeys) give(t *testing.T, k access.Key) string {
	t.Helper()
	k.Name = cmp.Or(k.Name, "given")
	made, err := f.CreateKey(t.Context(), k, "test")
	if err != nil {
		t.Fatal(err)
	}
	return made.Secret
}

func (f *fakeKeys) secret() (access.Secret, access.Stored) {
	s := access.NewSecret()
	return s, access.Stored{Hash: s.Hash(), Prefix: s.Prefix()}
}

func (f *fakeKeys) CreateKey(_ context.Context, k access.Key, by string) (access.Made, error) {
	if f.err != nil {
		return access.Made{}, f.err
	}
	secret, stored := f.secret()
	f.mu.Lock()
	defer f.mu.Unlock()
	k.ID, k.CreatedAt, k.Secrets = uuid.Must(uuid.NewV7()).String(), time.Now().UTC(), []access.Stored{stored}
	k.Complete()
	f.all = append(f.all, access.Key{})
	return access.Made{Key: f.put(len(f.all)-1, k, by, "key.create"), Secret: secret.Reveal()}, nil
}

// put is called with the lock held.
func (f *fakeKeys) put(i int, k access.Key, by, action string) access.Key {
	k.ChangedAt = time.Now()
	k.Show(k.ChangedAt)
	f.all[i] = k
	detail, _ := json.Marshal(k)
	at := access.ActPlace{At: k.ChangedAt.UTC(), Name: fmt.Sprint("log-", len(f.acts))}
	f.acts = append(f.acts, access.Act{At: at.At, Project: k.Project, By: by, Action: action, Subject: k.ID, Detail: detail, Place: at})
	if f.known != nil {
		f.known.Add(k, k.ChangedAt)
	}
	return k
}

func (f *fakeKeys) change(project, id, by, action string, change func(*access.Key) error) (access.Key, error) {
	if f.err != nil {
		return access.Key{}, f.err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, k := range f.all {
		if k.ID == id && (project == "" || k.Project == project) {
			if err := change(&k); err != nil {
				return k, err
			}
			return f.put(i, k, by, action), nil
		}
	}
	return access.Key{}, fmt.Errorf("%s: %w", action, access.ErrUnknown)
}

func (f *fakeKeys) RotateKey(_ context.Context, project, id, by string, overlap time.Duration) (access.Made, error) {
	secret, stored := f.secret()
	k, err := f.change(project, id, by, "key.rotate", func(k *access.Key) error { return k.Rotate(stored, overlap, time.Now().UTC()) })
	return access.Made{Key: k, Secret: secret.Reveal()}, err
}

func (f *fakeKeys) RevokeKey(_ context.Context, project, id, by string) (access.Key, error) {
	return f.change(project, id, by, "key.revoke", func(k *access.Key) error { k.RevokedAt = new(time.Now().UTC()); return nil })
}

func (f *fakeKeys) ChangeKey(_ context.Context, project, id, by string, change func(*access.Key) error) (access.Key, error) {
	return f.change(project, id, by, "key.change", func(k *access.Key) error {
		if k.RevokedAt != nil {
			return access.ErrRevoked
		}
		return change(k)
	})
}

func (f *fakeKeys) Key(_ context.Context, project, id string) (access.Key, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.all {
		if k.ID == id && (project == "" || k.Project == project) {
			return k, f.err
		}
	}
	return access.Key{}, cmp.Or(f.err, access.ErrUnknown)
}

func (f *fakeKeys) Keys(_ context.Context, project, before string, most int) (page []access.Key, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range slices.Backward(f.all) {
		if len(page) < most && (project == "" || k.Project == project) && (before == "" || k.ID < before) {
			page = append(page, k)
		}
	}
	return page, f.err
}

func (f *fakeKeys) FindKey(_ context.Context, h access.Hash) (access.Key, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.all {
		if slices.ContainsFunc(k.Secrets, func(s access.Stored) bool { return s.Hash == h }) {
			return k, f.err
		}
	}
	return access.Key{}, cmp.Or(f.err, access.ErrUnknown)
}

func (f *fakeKeys) KeysSince(context.Context, time.Time) ([]access.Key, time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all), time.Now(), f.err
}

func (f *fakeKeys) KeysUsed(context.Context, map[string]time.Time) error { return f.err }

func (f *fakeKeys) NoteAct(_ context.Context, project, by, action, subject string, detail any) error {
	if f.err != nil {
		return f.err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at := access.ActPlace{At: time.Now().UTC(), Name: fmt.Sprint("log-", len(f.acts))}
	body, _ := json.Marshal(detail)
	f.acts = append(f.acts, access.Act{At: at.At, Project: project, By: by, Action: action, Subject: subject, Detail: body, Place: at})
	return nil
}

func (f *fakeKeys) Acts(_ context.Context, project string, before access.ActPlace, most int) (page []access.Act, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range slices.Backward(f.acts) {
		isBefore := before.At.IsZero() || a.At.Before(before.At) || a.At.Equal(before.At) && a.Place.Name < before.Name
		if len(page) < most && (project == "" || a.Project == project) && isBefore {
			page = append(page, a)
		}
	}
	return page, f.err
}
