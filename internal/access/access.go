// Package access says who may do what: callers, their projects, keys and
// roles.
package access

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/busuhq/busu/internal/event"
)

// Role is what a caller may do.
type Role string

// RoleAdmin may do everything.
const RoleAdmin Role = "admin"

// Caller is who sent a request, and for which project.
type Caller struct {
	Project string
	KeyID   string // "" for the admin key and without keys
	Role    Role
}

// Keys knows who a key belongs to.
type Keys struct {
	open  bool
	admin [sha256.Size]byte
}

// NewKeys makes Keys with the admin key, or, when it is empty, Keys that let
// everybody in.
func NewKeys(adminKey string) *Keys {
	return &Keys{open: adminKey == "", admin: sha256.Sum256([]byte(adminKey))}
}

// Open reports whether callers need no key.
func (k *Keys) Open() bool { return k.open }

// Caller finds out whose key was presented; ok is false for an unknown one.
// The time it takes does not tell how much of a key was right.
func (k *Keys) Caller(key string) (c Caller, ok bool) {
	presented := sha256.Sum256([]byte(key))
	if !k.open && subtle.ConstantTimeCompare(presented[:], k.admin[:]) != 1 {
		return Caller{}, false
	}
	return Caller{Project: event.DefaultProject, Role: RoleAdmin}, true
}
