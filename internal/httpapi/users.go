package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/document"
)

var (
	errForbidden = errors.New("this takes a key with the role admin")
	errRemains   = errors.New("some of what is kept of this user may be left, because a store does not answer: send the request again")
)

// onlyAdmins refuses callers with another role.
func onlyAdmins(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if callerOf(c).Role != access.RoleAdmin {
			return errForbidden
		}
		return next(c)
	}
}

// forgotten is the answer of DELETE /users/{user_id}.
type forgotten struct {
	UserID  string           `json:"user_id"`
	Removed map[string]int64 `json:"removed"`
}

// forgetUser removes what is kept of a user of the caller's project.
func (a *API) forgetUser(c echo.Context) error {
	user, err := userParam(c)
	if err != nil {
		return err
	}
	removed, err := a.Users.ForgetUser(c.Request().Context(), callerOf(c).Project, user)
	if err != nil {
		return fmt.Errorf("%w: %w", errRemains, err)
	}
	return c.JSON(http.StatusOK, forgotten{user, removed})
}

// userParam is the user that a path names. A name with slashes comes escaped.
func userParam(c echo.Context) (string, error) {
	q, err := readQuery(c)
	if err != nil {
		return "", err
	}
	user := c.Param("user_id")
	if user == "" || strings.Contains(user, "/") {
		return "", echo.ErrNotFound
	}
	if c.Request().URL.RawPath != "" { // what was matched
		if user, err = url.PathUnescape(user); err != nil {
			return "", echo.ErrNotFound // cannot be: the server has read it
		}
	}
	if len(user) > maxID || !storable(user) {
		q.faults.Add(document.CodeValue, "user_id", "is longer than %d bytes, or cannot be stored", maxID)
	}
	q.refuseOthers()
	return user, q.faults.Err()
}
