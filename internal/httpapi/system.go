package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/reconcile"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/system"
)

// System tells how busu itself fares.
type System interface {
	System(ctx context.Context) system.Report
}

// Letters are the dead letters. by is the key that asks. Each method returns
// system.ErrNoLetter for one that there is not.
type Letters interface {
	Page(ctx context.Context, before string, count int) (system.DeadPage, error)
	Letter(ctx context.Context, id string) (system.DeadBody, error)
	Replay(ctx context.Context, project, by, id string) error
	Discard(ctx context.Context, project, by, id string) error
}

// Books compares what was announced, stored and counted.
type Books interface {
	Reconcile(ctx context.Context, window time.Duration) (reconcile.Answer, error)
}

var (
	errNoLetters = errors.New("dead letters cannot be read or changed now, because Redis, or PostgreSQL, where changes are noted, does not answer: try again")
	errNoBooks   = errors.New("the books cannot be compared now, because PostgreSQL does not answer in time: try again, or with a shorter window")
)

func (a *API) system(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, a.System.System(c.Request().Context()))
}

func unknownLetter(id string) error {
	return &unknownError{what: "dead-letter", detail: fmt.Sprintf("there is no dead letter %q, or no longer: GET /dead lists what there is", document.Cut(id))}
}

func letterFailure(id string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, system.ErrNoLetter):
		return unknownLetter(id)
	default:
		return errors.Join(errNoLetters, err)
	}
}

// letterID is the one that a path names.
func letterID(c echo.Context) (string, error) {
	if err := noQuery(c); err != nil {
		return "", err
	}
	id := c.Param("dead_id")
	if !system.IsDeadID(id) {
		return "", unknownLetter(id)
	}
	return id, nil
}

const (
	usualLetters = 50
	mostLetters  = 200
)

func (a *API) deadLetters(c echo.Context) error {
	q, limit, err := readPage(c, usualLetters, mostLetters)
	if err != nil {
		return err
	}
	cursor := q.values["cursor"]
	if cursor != "" && !system.IsDeadID(cursor) {
		q.strayCursor()
	}
	if err := q.faults.Err(); err != nil {
		return err
	}
	page, err := a.Letters.Page(c.Request().Context(), cursor, limit)
	if err != nil {
		return letterFailure("", err)
	}
	return c.JSON(http.StatusOK, page)
}

func (a *API) deadLetter(c echo.Context) error {
	id, err := letterID(c)
	if err != nil {
		return err
	}
	letter, err := a.Letters.Letter(c.Request().Context(), id)
	if err != nil {
		return letterFailure(id, err)
	}
	return c.JSON(http.StatusOK, letter)
}

// letterDone is the answer to a change of a dead letter.
type letterDone struct {
	ID     string `json:"id"`
	Status string `json:"status"` // replayed or deleted
}

func (a *API) replayLetter(c echo.Context) error {
	return a.changeLetter(c, a.Letters.Replay, "replayed")
}

func (a *API) deleteLetter(c echo.Context) error {
	return a.changeLetter(c, a.Letters.Discard, "deleted")
}

func (a *API) changeLetter(c echo.Context, change func(ctx context.Context, project, by, id string) error, status string) error {
	id, err := letterID(c)
	if err != nil {
		return err
	}
	caller := callerOf(c)
	if err := change(c.Request().Context(), caller.Project, a.by(c), id); err != nil {
		return letterFailure(id, err)
	}
	return c.JSON(http.StatusOK, letterDone{id, status})
}

const (
	usualAudit = "24h"
	mostAudit  = 31 * 24 * time.Hour
)

func (a *API) reconcile(c echo.Context) error {
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	q.refuseOthers("window")
	var window time.Duration
	if q.length("window", usualAudit, &window) && (window < time.Minute || window > mostAudit) {
		q.faults.Add(document.CodeValue, "window", "is %q, must be from 1m to %s", document.Cut(q.values["window"]), rollup.LengthText(mostAudit))
	}
	if err := q.faults.Err(); err != nil {
		return err
	}
	answer, err := a.Books.Reconcile(c.Request().Context(), window)
	if err != nil {
		return errors.Join(errNoBooks, err)
	}
	return c.JSON(http.StatusOK, answer)
}
