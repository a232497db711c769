package httpapi

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
)

// Audit keeps who did what.
type Audit interface {
	NoteAct(ctx context.Context, project, by, action, subject string, detail any) error
	// Acts gives up to most, the newest first, behind another one. project "" is all.
	Acts(ctx context.Context, project string, before access.ActPlace, most int) ([]access.Act, error)
}

// by is who asks, for the audit log.
func (a *API) by(c echo.Context) string { return callerOf(c).By(a.Keys.Open()) }

const (
	usualActs = 100
	mostActs  = 500
)

// actPage is the answer of GET /audit.
type actPage struct {
	Acts       []access.Act `json:"acts"` // the newest first
	NextCursor *string      `json:"next_cursor"`
}

func (a *API) audit(c echo.Context) error {
	q, most, err := readPage(c, usualActs, mostActs)
	if err != nil {
		return err
	}
	var before access.ActPlace
	if text := q.values["cursor"]; text != "" {
		if before, err = access.ParseActPlace(text); err != nil {
			q.strayCursor()
		}
	}
	if err := q.faults.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), keysWithin)
	defer cancel()
	all, err := a.Audit.Acts(ctx, scopeOf(c), before, most+1)
	if err != nil {
		return keyFailure("", err)
	}
	page := actPage{Acts: append([]access.Act{}, all[:min(most, len(all))]...)}
	if len(all) > most {
		page.NextCursor = new(all[most-1].Place.String())
	}
	return c.JSON(http.StatusOK, page)
}
