package access_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/event"
)

// TestRules is the table of who may do what, once more in the words of the
// manual.
func TestRules(t *testing.T) {
	t.Parallel()
	may := map[access.Role][]access.Action{
		access.RoleAdmin:    {access.Complete, access.Look, access.Read, access.Operate, access.Oversee, access.Administer},
		access.RoleOperate:  {access.Complete, access.Look, access.Read, access.Operate, access.Oversee},
		access.RoleComplete: {access.Complete, access.Look},
		access.RoleRead:     {access.Look, access.Read},
	}
	for _, role := range append(access.Roles(), "", "Admin", "root") {
		for action := range access.Administer + 2 {
			want := slices.Contains(may[role], action)
			if role.May(action) != want || slices.Contains(access.WhoMay(action), role) != want {
				t.Errorf("%q may do %d: %t", role, action, role.May(action))
			}
			for _, anywhere := range []bool{true, false} {
				want := want && (anywhere || action != access.Oversee)
				if c := (access.Caller{Role: role, Project: "p", Anywhere: anywhere}); c.May(action) != want {
					t.Errorf("%+v may do %d: %t", c, action, !want)
				}
			}
		}
	}
}

var deployment = access.Caller{Project: event.DefaultProject, Role: access.RoleAdmin, Anywhere: true}

func TestIn(t *testing.T) {
	t.Parallel()
	if c, ok := deployment.In("acme"); !ok || c.Project != "acme" || c.Role != access.RoleAdmin {
		t.Errorf("%+v, %t", c, ok)
	}
	tenant := access.Caller{Project: "acme", Role: access.RoleAdmin}
	if c, ok := tenant.In("acme"); !ok || c != tenant {
		t.Errorf("%+v, %t", c, ok)
	}
	for _, other := range []string{"default", "acme2", "", "*"} {
		if c, ok := tenant.In(other); ok || c.Project != "acme" {
			t.Errorf("%q: %+v, %t", other, c, ok)
		}
	}
}

func TestProjectNames(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{"default": true, "a": true, "Acme-2.eu_west": true, strings.Repeat("a", 64): true,
		"": false, "*": false, "a:b": false, "a b": false, "-a": false, ".a": false, "ä": false, "a\n": false, "a/b": false, "{a}": false, strings.Repeat("a", 65): false} {
		if access.IsProject(name) != ok {
			t.Errorf("%q: %t", name, !ok)
		}
	}
}
