// Package access says who may do what: callers, their projects, keys and
// roles. Keys are known to every process as they stood a moment ago, so that no
// request waits for a store, and none is let in or turned away by guess when it
// is away.
package access

import (
	"slices"

	"github.com/busuhq/busu/internal/event"
)

// Role is what a caller may do.
type Role string

// The roles. One who operates may do all that one who completes and one who
// reads may; the admin everything.
const (
	RoleAdmin    Role = "admin"
	RoleOperate  Role = "operate"
	RoleComplete Role = "complete"
	RoleRead     Role = "read"
)

// Roles lists them, the mightiest first.
func Roles() []Role { return []Role{RoleAdmin, RoleOperate, RoleComplete, RoleRead} }

// Action is a kind of thing that callers do.
type Action uint8

// The actions. The zero Action nobody may do.
const (
	Complete   Action = iota + 1 // have prompts answered, and say how good that was
	Look                         // at models, which everybody may
	Read                         // what happened: requests, metrics, streams, experiments
	Operate                      // begin and end experiments
	Oversee                      // what is of all projects: see Caller.May
	Administer                   // keys, the audit log, what is kept of users
)

// rules is the one table of who may do what.
var rules = map[Role][]Action{
	RoleAdmin:    {Complete, Look, Read, Operate, Oversee, Administer},
	RoleOperate:  {Complete, Look, Read, Operate, Oversee},
	RoleComplete: {Complete, Look},
	RoleRead:     {Look, Read},
}

// May reports whether a role may do something.
func (r Role) May(a Action) bool { return slices.Contains(rules[r], a) }

// WhoMay lists the roles that may do something, the mightiest first.
func WhoMay(a Action) []Role {
	return slices.DeleteFunc(Roles(), func(r Role) bool { return !r.May(a) })
}

// Caller is who sent a request, and for which project.
type Caller struct {
	Project  string
	KeyID    string // "" for the admin key and without keys
	Role     Role
	Anywhere bool // may choose another project
	Key      *Key // with its limits; nil for the admin key and without keys. It is read only
}

// everywhere is the caller who has the deployment itself: by the admin key, or
// because there is none.
func everywhere() Caller {
	return Caller{Project: event.DefaultProject, Role: RoleAdmin, Anywhere: true}
}

// May reports whether a caller may do something. What is of all projects takes
// who may choose among them.
func (c Caller) May(a Action) bool { return c.Role.May(a) && (a != Oversee || c.Anywhere) }

// In is the caller in another project, and false where that is not for the
// caller to choose.
func (c Caller) In(project string) (Caller, bool) {
	if project != c.Project && !c.Anywhere {
		return c, false
	}
	c.Project = project
	return c, true
}
