package access_test

import (
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/event"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	k := access.NewKeys("")
	if !k.Open() {
		t.Error("not open without an admin key")
	}
	for _, key := range []string{"", "anything"} {
		if c, ok := k.Caller(key); !ok || c != (access.Caller{Project: event.DefaultProject, Role: access.RoleAdmin}) {
			t.Errorf("key %q: %+v, %t", key, c, ok)
		}
	}
}

func TestAdminKey(t *testing.T) {
	t.Parallel()
	k := access.NewKeys("secret")
	if k.Open() {
		t.Error("open in spite of an admin key")
	}
	if c, ok := k.Caller("secret"); !ok || c != (access.Caller{Project: event.DefaultProject, Role: access.RoleAdmin}) {
		t.Errorf("the admin is %+v, %t", c, ok)
	}
	for _, key := range []string{"", "secre", "secret ", " secret", "Secret", "secret\x00", strings.Repeat("secret", 10_000)} {
		if c, ok := k.Caller(key); ok || c != (access.Caller{}) {
			t.Errorf("key %.20q: %+v, %t", key, c, ok)
		}
	}
}
