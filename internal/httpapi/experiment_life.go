package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/experiment"
)

// rampExperiment changes the shares of the arms from a time on.
func (a *API) rampExperiment(c echo.Context) error {
	o, err := readObject(c.Request(), `{"test_share": 0.5}`)
	if err != nil {
		return err
	}
	r := experiment.Ramp{Shares: shares(o), TestShare: anyNumber(o, "test_share"), At: o.instant("at"), Note: o.text("note", maxExperimentText)}
	if o.finish(); o.faults.Count() > 0 {
		return o.faults.Err()
	}
	id := c.Param("experiment_id")
	s, err := a.Steward.Ramp(c.Request().Context(), callerOf(c).Project, a.by(c), id, r)
	if err != nil {
		return experimentFailure(id, err)
	}
	return c.JSON(http.StatusOK, shownExperiment(s))
}

// extendExperiment makes the sample larger, or the time longer.
func (a *API) extendExperiment(c echo.Context) error {
	o, err := readObject(c.Request(), `{"max_duration": "1440h"}`)
	if err != nil {
		return err
	}
	x := experiment.Extension{SampleSize: o.whole("sample_size", 1, maxCount, 0), MaxDuration: duration(o, "max_duration"), Note: o.text("note", maxExperimentText)}
	if o.finish(); o.faults.Count() > 0 {
		return o.faults.Err()
	}
	id := c.Param("experiment_id")
	s, err := a.Steward.Extend(c.Request().Context(), callerOf(c).Project, a.by(c), id, x)
	if err != nil {
		return experimentFailure(id, err)
	}
	return c.JSON(http.StatusOK, shownExperiment(s))
}

// archiveExperiment takes what has ended out of lists.
func (a *API) archiveExperiment(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	id := c.Param("experiment_id")
	s, err := a.Steward.Archive(c.Request().Context(), callerOf(c).Project, a.by(c), id)
	if err != nil {
		return experimentFailure(id, err)
	}
	return c.JSON(http.StatusOK, shownExperiment(s))
}

// shares takes a list of numbers.
func shares(o *object) (list []float64) {
	v, ok := o.take("shares")
	if !ok {
		return nil
	}
	list = []float64{}
	o.faults.List(o.path+"shares", v, 1, mostArms, func(one gjson.Result) {
		if x := o.faults.Number("", one, 0, 1); x != nil {
			list = append(list, *x)
		}
	})
	return list
}
