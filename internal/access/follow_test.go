package access_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/access"
)

// TestFollow: two processes hear of a revocation within a second, and write
// down when a key was used.
func TestFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		key, secret := makeKey("a", "acme", access.RoleRead)
		key = s.change(key)
		ctx, stop := context.WithCancel(t.Context())
		var following sync.WaitGroup
		rings := []*access.Keys{newRing(s, "admin"), newRing(s, "admin")}
		for _, k := range rings {
			following.Go(func() { _ = k.Follow(ctx, s, discard) })
			synctest.Wait()
			wantError(t, "followed", k, secret.Reveal(), time.Now(), nil)
		}
		now := time.Now()
		key.RevokedAt = &now
		s.change(key)
		time.Sleep(time.Second) // of the bubble
		for _, k := range rings {
			wantError(t, "a second later", k, secret.Reveal(), time.Now(), access.ErrEnded)
		}
		stop()
		following.Wait()
		if at := s.used["a"]; !at.Equal(now) {
			t.Errorf("it was used at %s, not at %s", at, now)
		}
	})
}
