package httpapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/lineup"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/routing"
	"github.com/busuhq/busu/internal/system"
)

// Lineup tells of the models that may answer.
type Lineup interface {
	Lineup(ctx context.Context, project string, w rollup.Window) (lineup.Report, error)
}

// Snapshots are what strategies of a project that learn go by, and went by.
type Snapshots interface {
	// List gives those with lower numbers than one, the newest first.
	List(ctx context.Context, project, strategy string, before int64, most int) ([]system.Snapshot, error)
	// RollBack publishes an older one again; by is the key that asks. It returns
	// learning.ErrNoSnapshot for one that there is not.
	RollBack(ctx context.Context, project, by, strategy string, to int64) (system.Snapshot, error)
}

var errNoSnapshots = errors.New("snapshots cannot be read or changed now, because PostgreSQL does not answer in time: try again")

// lineup answers with the models and how they fare.
func (a *API) lineup(c echo.Context) error {
	w, err := readWindow(c)
	if err != nil {
		return err
	}
	r, err := a.Lineup.Lineup(c.Request().Context(), callerOf(c).Project, w)
	if err != nil {
		return errors.Join(errUnavailable, err)
	}
	return c.JSON(http.StatusOK, r)
}

// snapshotEntry is a snapshot in a list.
type snapshotEntry struct {
	system.Snapshot
	Live bool `json:"live"`
}

// snapshotList is the answer of GET /snapshots.
type snapshotList struct {
	Strategy   string          `json:"strategy"`
	Snapshots  []snapshotEntry `json:"snapshots"` // the newest first
	NextCursor *string         `json:"next_cursor"`
}

const (
	usualSnapshots = 50
	mostSnapshots  = 500
)

func (a *API) snapshots(c echo.Context) error {
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	q.refuseOthers("strategy", "cursor", "limit")
	strategy, limit, before := q.learner(), q.count("limit", usualSnapshots, mostSnapshots), int64(math.MaxInt64)
	if text := q.values["cursor"]; text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			q.strayCursor()
		}
	}
	if err := q.faults.Err(); err != nil {
		return err
	}
	all, err := a.Snapshots.List(c.Request().Context(), callerOf(c).Project, strategy, before, limit+1)
	if err != nil {
		return errors.Join(errNoSnapshots, err)
	}
	list := snapshotList{Strategy: strategy, Snapshots: []snapshotEntry{}}
	for i, s := range all[:min(limit, len(all))] {
		list.Snapshots = append(list.Snapshots, snapshotEntry{s, i == 0 && before == math.MaxInt64})
	}
	if len(all) > limit {
		list.NextCursor = new(strconv.FormatInt(all[limit-1].Number, 10))
	}
	return c.JSON(http.StatusOK, list)
}

// learner is the strategy that a query means.
func (q query) learner() string {
	learners := []string{routing.Hybrid{}.Name(), routing.Learning{}.Name()}
	name := q.values["strategy"]
	if name == "" {
		return learners[0]
	}
	if !slices.Contains(learners, name) {
		q.faults.Add(document.CodeValue, "strategy", "is %q, must be one of: %s", document.Cut(name), strings.Join(learners, ", "))
	}
	return name
}

func unknownSnapshot(number, strategy string) error {
	return &unknownError{what: "snapshot", detail: fmt.Sprintf("there is no snapshot %q of the strategy %s in your project, or not any more: GET /snapshots lists what there is",
		document.Cut(number), strategy)}
}

func (a *API) rollBack(c echo.Context) error {
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	q.refuseOthers("strategy")
	strategy := q.learner()
	if err := q.faults.Err(); err != nil {
		return err
	}
	text := c.Param("snapshot")
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < 1 {
		return unknownSnapshot(text, strategy)
	}
	caller := callerOf(c)
	s, err := a.Snapshots.RollBack(c.Request().Context(), caller.Project, a.by(c), strategy, number)
	switch {
	case errors.Is(err, learning.ErrNoSnapshot):
		return unknownSnapshot(text, strategy)
	case err != nil:
		return errors.Join(errNoSnapshots, err)
	}
	return c.JSON(http.StatusOK, snapshotEntry{s, true})
}
