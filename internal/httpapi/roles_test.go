package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
)

// TestOnlyAdmins is from inside: as yet no key has another role.
func TestOnlyAdmins(t *testing.T) {
	t.Parallel()
	for role, allowed := range map[access.Role]bool{access.RoleAdmin: true, "": false, "read": false, "operate": false, "Admin": false} {
		c := echo.New().NewContext(httptest.NewRequest(http.MethodDelete, "/", nil), httptest.NewRecorder())
		c.Set(callerKey, access.Caller{Role: role})
		done := false
		err := onlyAdmins(func(echo.Context) error { done = true; return nil })(c)
		if done != allowed || errors.Is(err, errForbidden) == allowed {
			t.Errorf("%q: done %v, %v", role, done, err)
		}
	}
	if p := problemOf(errForbidden); p.Status != http.StatusForbidden || p.Type != "forbidden" || p.Detail == "" {
		t.Errorf("%+v", p)
	}
}
