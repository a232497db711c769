package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/experiment"
)

// Starter begins and ends experiments of a project; by is the key that asks.
type Starter interface {
	// Start returns experiment.ErrNameTaken, or a *document.InvalidError.
	Start(ctx context.Context, project, by string, s experiment.Start) (experiment.Started, error)
	// Plan begins nothing, and says what Start would. Effect 0 is experiment.UsualEffect.
	Plan(ctx context.Context, project string, s experiment.Start, effect float64) (experiment.Plan, error)
	// Stop returns experiment.ErrUnknown for one that there is not.
	Stop(ctx context.Context, project, by, id string) (experiment.Status, error)
}

// Steward changes experiments of a project that run, or puts them away; by is
// the key that asks. What cannot be is experiment.ErrUnknown, experiment.ErrEnded
// or a *document.InvalidError.
type Steward interface {
	Ramp(ctx context.Context, project, by, id string, r experiment.Ramp) (experiment.Status, error)
	Extend(ctx context.Context, project, by, id string, x experiment.Extension) (experiment.Status, error)
	// Archive returns experiment.ErrRunning for one that has not ended.
	Archive(ctx context.Context, project, by, id string) (experiment.Status, error)
}

// Experiments tells of a project's experiments. It returns experiment.ErrUnknown
// for one that there is not.
type Experiments interface {
	// List gives those that are archived only where they are asked for.
	List(ctx context.Context, project string, archived bool) (experiment.List, error)
	Experiment(ctx context.Context, project, id string) (experiment.Status, error)
	Results(ctx context.Context, project, id string) (experiment.Page, error)
}

var errNoExperiments = errors.New("experiments cannot be read or changed now, because PostgreSQL does not answer in time: try again")

// experimentError names an experiment of which something cannot be had.
type experimentError struct {
	id    string
	state string // that is in the way; "": there is no such experiment
}

func (e *experimentError) Error() string {
	switch e.state {
	case "":
		return fmt.Sprintf("there is no experiment %q in your project: GET /experiments lists what there is", document.Cut(e.id))
	case experiment.StateRunning:
		return fmt.Sprintf("the experiment %s is running, and only what has ended is archived: stop it first", e.id)
	default:
		return fmt.Sprintf("the experiment %s has ended, and its record stays as it is: start another one", e.id)
	}
}

func (e *experimentError) problem() problem {
	p := problem{Type: "unknown-experiment", Status: http.StatusNotFound, Detail: e.Error()}
	if e.state != "" {
		p.Type, p.Status = "experiment-"+e.state, http.StatusConflict
	}
	return p
}

// experimentFailure says what went wrong with an experiment.
func experimentFailure(id string, err error) error {
	var wrong *document.InvalidError
	switch {
	case err == nil, errors.As(err, &wrong):
		return err
	case errors.Is(err, experiment.ErrUnknown):
		return &experimentError{id: id}
	case errors.Is(err, experiment.ErrEnded):
		return &experimentError{id, "ended"}
	case errors.Is(err, experiment.ErrRunning):
		return &experimentError{id, experiment.StateRunning}
	case errors.Is(err, experiment.ErrNameTaken):
		return document.Invalid("name", "is that of another experiment of your project: choose another")
	default:
		return errors.Join(errNoExperiments, err)
	}
}

// startExperiment begins one, and answers with what it can be expected to find.
func (a *API) startExperiment(c echo.Context) error {
	o, err := readObject(c.Request(), `{"name": "…", "control_strategy": "complexity", "test_strategy": "hybrid", "sample_size": 2000}`)
	if err != nil {
		return err
	}
	o.require("name")
	s := readExperiment(o)
	if o.finish(); o.faults.Count() > 0 {
		return o.faults.Err()
	}
	started, err := a.Starter.Start(c.Request().Context(), callerOf(c).Project, a.by(c), s)
	if err != nil {
		return experimentFailure("", err)
	}
	started.Status = shownExperiment(started.Status)
	return c.JSON(http.StatusCreated, started)
}

func (a *API) stopExperiment(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	id := c.Param("experiment_id")
	s, err := a.Starter.Stop(c.Request().Context(), callerOf(c).Project, a.by(c), id)
	if err != nil {
		return experimentFailure(id, err)
	}
	return c.JSON(http.StatusOK, shownExperiment(s))
}

func (a *API) listExperiments(c echo.Context) error {
	archived, err := withArchived(c)
	if err != nil {
		return err
	}
	list, err := a.Experiments.List(c.Request().Context(), callerOf(c).Project, archived)
	if err != nil {
		return experimentFailure("", err)
	}
	for i, x := range list.Experiments {
		list.Experiments[i].Status = shownExperiment(x.Status)
	}
	return c.JSON(http.StatusOK, list)
}

func (a *API) experiment(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	id := c.Param("experiment_id")
	s, err := a.Experiments.Experiment(c.Request().Context(), callerOf(c).Project, id)
	if err != nil {
		return experimentFailure(id, err)
	}
	return c.JSON(http.StatusOK, shownExperiment(s))
}

func (a *API) experimentResults(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	id := c.Param("experiment_id")
	page, err := a.Experiments.Results(c.Request().Context(), callerOf(c).Project, id)
	if err != nil {
		return experimentFailure(id, err)
	}
	if wantsCSV(c) {
		return sendResults(c, []experiment.Page{page})
	}
	return c.JSONBlob(http.StatusOK, page)
}

// resultList is the answer of GET /experiments/results.
type resultList struct {
	Results []experiment.Page `json:"results"` // the newest experiment first
}

func (a *API) allResults(c echo.Context) error {
	archived, err := withArchived(c)
	if err != nil {
		return err
	}
	ctx, project := c.Request().Context(), callerOf(c).Project
	all, err := a.Experiments.List(ctx, project, archived)
	if err != nil {
		return experimentFailure("", err)
	}
	list := resultList{make([]experiment.Page, len(all.Experiments))}
	for i, x := range all.Experiments {
		if list.Results[i], err = a.Experiments.Results(ctx, project, x.ID); err != nil {
			return experimentFailure(x.ID, err)
		}
	}
	if wantsCSV(c) {
		return sendResults(c, list.Results)
	}
	return c.JSON(http.StatusOK, list)
}

// withArchived reads whether experiments that are archived are wanted, too.
func withArchived(c echo.Context) (bool, error) {
	q, err := readQuery(c)
	if err != nil {
		return false, err
	}
	q.refuseOthers("archived")
	archived := q.flag("archived")
	return archived != nil && *archived, q.faults.Err()
}
