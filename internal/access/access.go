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

// Actions lists them, the least first.
func Actions() []Action { return []Action{Look, Complete, Read, Operate, Oversee, Administer} }

// String is what an action is called where callers are told what they may do.
func (a Action) String() string {
	return [...]string{"nothing", "complete", "look", "read", "operate", "oversee", "administer"}[a]
}

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
	KeyID    string // "" without a key of one's own: the admin key, a person, or no keys at all
	Role     Role
	Anywhere bool // may choose another project
	Key      *Key // with its limits; nil for all who have none of their own. It is read only

	// Person is who signed in without a key, as an identity provider names them;
	// "" for everybody else.
	Person string
}

// everywhere is the caller who has the deployment itself: by the admin key, or
// because there is none.
func everywhere() Caller {
	return Caller{Project: event.DefaultProject, Role: RoleAdmin, Anywhere: true}
}

// Person is who signed in without a key. The name is an identity provider's;
// role and project are what the configuration gives them, AllProjects among them.
type Person struct {
	Name    string `json:"name"`
	Role    Role   `json:"role"`
	Project string `json:"project"`
}

// Caller is a person as one who sends requests.
func (p Person) Caller() Caller {
	c := Caller{Project: p.Project, Role: p.Role, Person: p.Name}
	if p.Project == AllProjects {
		c.Project, c.Anywhere = everywhere().Project, true
	}
	return c
}

// May reports whether a caller may do something. What is of all projects takes
// who may choose among them.
func (c Caller) May(a Action) bool { return c.Role.May(a) && (a != Oversee || c.Anywhere) }

// Rights lists what a caller may do, the least first.
func (c Caller) Rights() []string {
	var all []string
	for _, a := range Actions() {
		if c.May(a) {
			all = append(all, a.String())
		}
	}
	return all
}

// By is who did something, for the audit log. everybody says that callers need
// no key.
func (c Caller) By(everybody bool) string {
	switch {
	case c.Person != "":
		return ByPerson + c.Person
	case c.KeyID != "" || everybody:
		return c.KeyID
	}
	return ByAdmin
}

// In is the caller in another project, and false where that is not for the
// caller to choose.
func (c Caller) In(project string) (Caller, bool) {
	if project != c.Project && !c.Anywhere {
		return c, false
	}
	c.Project = project
	return c, true
}
