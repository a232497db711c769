package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// mostEffect is far beyond what is found by anybody: eleven times as much.
const mostEffect = 10

// planExperiment says what an experiment could be expected to find, and begins none.
func (a *API) planExperiment(c echo.Context) error {
	o, err := readObject(c.Request(), `{"control_strategy": "complexity", "test_strategy": "hybrid", "sample_size": 2000}`)
	if err != nil {
		return err
	}
	s := readExperiment(o)
	var effect float64
	if given := o.number("effect", 0, mostEffect); given != nil {
		effect = *given
	}
	if o.finish(); o.faults.Count() > 0 {
		return o.faults.Err()
	}
	plan, err := a.Starter.Plan(c.Request().Context(), callerOf(c).Project, s, effect)
	if err != nil {
		return experimentFailure("", err)
	}
	return c.JSON(http.StatusOK, plan)
}
