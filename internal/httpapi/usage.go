package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/statement"
	"github.com/busuhq/busu/internal/usage"
)

// Accounts reads usage, and makes statements of it.
type Accounts interface {
	Usage(ctx context.Context, q usage.Query) (usage.Report, error)
	Statement(ctx context.Context, project string, m statement.Month) (statement.Statement, error)
}

var errNoAccounts = errors.New("usage cannot be read now, because PostgreSQL does not answer in time: try again, or for fewer days")

// usage answers with what requests add up to, of all projects where the caller
// may choose one and names none.
func (a *API) usage(c echo.Context) error {
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	q.refuseOthers("from", "to", "by", "format")
	asked, format := q.usage(time.Now()), q.format(c)
	if err := q.faults.Err(); err != nil {
		return err
	}
	asked.Project = scopeOf(c)
	r, err := a.Accounts.Usage(c.Request().Context(), asked)
	var tooMany usage.TooManyError
	switch {
	case errors.As(err, &tooMany):
		return document.Invalid("by", "%s", tooMany.Error())
	case err != nil:
		return errors.Join(errNoAccounts, err)
	case format == formatCSV:
		return sendTable(c, r.WriteCSV)
	}
	return c.JSON(http.StatusOK, r)
}

// usage reads what usage is asked for.
func (q query) usage(now time.Time) usage.Query {
	var u usage.Query
	u.From, u.To = usage.Usual(now)
	readable := q.day("to", &u.To)
	if q.values["from"] == "" {
		u.From = u.To.AddDate(0, 0, -30)
	}
	readable = q.day("from", &u.From) && readable
	by, err := usage.ParseBy(q.values["by"])
	if u.By = by; err != nil {
		q.faults.Add(document.CodeValue, "by", "%s", q.said("by")+err.Error())
		return u
	}
	if part, fault := u.Validate(); readable && fault != "" {
		q.faults.Add(document.CodeValue, part, "%s", fault)
	}
	return u
}

// day reads a day in UTC, where one is given.
func (q query) day(name string, to *time.Time) bool {
	text := q.values[name]
	if text == "" {
		return true
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		q.faults.Add(document.CodeValue, name, "is %q, must be a day such as 2026-11-01, in UTC", document.Cut(text))
		return false
	}
	*to = day
	return true
}

// statement answers with the statement of a month, as it is signed.
func (a *API) statement(c echo.Context) error {
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	q.refuseOthers("format")
	format := q.format(c)
	month, err := statement.ParseMonth(c.Param("month"))
	if err != nil {
		q.faults.Add(document.CodeValue, "month", "is %q, %s", document.Cut(c.Param("month")), err)
	}
	if err := q.faults.Err(); err != nil {
		return err
	}
	s, err := a.Accounts.Statement(c.Request().Context(), callerOf(c).Project, month)
	if err != nil {
		return errors.Join(errNoAccounts, err)
	}
	if format == formatCSV {
		return sendTable(c, s.WriteCSV)
	}
	text, err := s.Encode()
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, text)
}
