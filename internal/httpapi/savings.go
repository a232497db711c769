package httpapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/savings"
)

// Savings reads what routing saves.
type Savings interface {
	Savings(ctx context.Context, project string, w savings.Window) (savings.Report, error)
}

// savings answers with what the project saves, modelled and proven.
func (a *API) savings(c echo.Context) error {
	name, err := onlyParameter(c, "window")
	if err != nil {
		return err
	}
	w, err := savingsWindow(name)
	if err != nil {
		return err
	}
	r, err := a.Savings.Savings(c.Request().Context(), callerOf(c).Project, w)
	if err != nil {
		return errors.Join(errNoSavings, err)
	}
	return c.JSON(http.StatusOK, r)
}

func savingsWindow(name string) (savings.Window, error) {
	var names []string
	for _, w := range savings.Windows() {
		if w.Name == cmp.Or(name, savings.UsualWindow) {
			return w, nil
		}
		names = append(names, w.Name)
	}
	return savings.Window{}, document.Invalid("window", "is %q, must be one of: %s", document.Cut(name), strings.Join(names, ", "))
}
