package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
)

var errRemains = errors.New("some of what is kept of this user may be left, because a store does not answer: send the request again")

// forgotten is the answer of DELETE /users/{user_id}.
type forgotten struct {
	UserID  string           `json:"user_id"`
	Removed map[string]int64 `json:"removed"`
	OnDisk  time.Time        `json:"on_disk_until"` // in files of journals, where nothing waits to be stored
}

// forgetUser removes what is kept of a user of the caller's project.
func (a *API) forgetUser(c echo.Context) error {
	user, err := userParam(c)
	if err != nil {
		return err
	}
	ctx, project := c.Request().Context(), callerOf(c).Project
	if a.Audit != nil { // before, so that nothing is done that is not on record
		if err := a.Audit.NoteAct(ctx, project, a.by(c), "user.forget", nameless(project, user), nil); err != nil {
			return fmt.Errorf("%w: %w", errRemains, err)
		}
	}
	removed, err := a.Users.ForgetUser(ctx, project, user)
	if err != nil {
		return fmt.Errorf("%w: %w", errRemains, err)
	}
	return c.JSON(http.StatusOK, forgotten{user, removed, time.Now().Add(a.OnDisk).UTC().Truncate(time.Second)})
}

// nameless is what the audit log has of a user who is to be forgotten: whoever
// knows the name finds the line by it.
func nameless(project, user string) string {
	sum := sha256.Sum256([]byte(project + "\x00" + user))
	return "sha256:" + hex.EncodeToString(sum[:8])
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
