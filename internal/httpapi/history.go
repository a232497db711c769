package httpapi

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/rollup"
)

const usualSpan = "24h"

// history answers with how the project's requests went, step by step.
func (a *API) history(c echo.Context) error {
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	span, err := q.span()
	if err != nil {
		return err
	}
	h, err := a.Metrics.History(c.Request().Context(), callerOf(c).Project, span)
	if err != nil {
		return errors.Join(errNoHistory, err)
	}
	text, err := h.AppendJSON(nil)
	if err != nil {
		return err
	}
	return c.JSONBlob(http.StatusOK, append(text, '\n'))
}

// span reads what history is asked for.
func (q query) span() (rollup.Span, error) {
	q.refuseOthers("window", "step", "by", "top")
	s := rollup.Span{By: q.values["by"], Top: rollup.UsualNames}
	readable := q.length("window", usualSpan, &s.Length)
	if q.values["step"] == "" {
		s.Step = rollup.UsualStep(s.Length)
	} else {
		readable = q.length("step", "", &s.Step) && readable
	}
	if text := q.values["top"]; text != "" {
		n, err := strconv.Atoi(text)
		if s.Top = n; err != nil {
			s.Top = 0 // which Validate refuses
		}
	}
	if !readable {
		return s, q.faults.Err()
	}
	if part, fault := s.Validate(); fault != "" {
		q.faults.Add(document.CodeValue, part, "%s", q.said(part)+fault)
	}
	return s, q.faults.Err()
}

// said repeats what a parameter was, before what is wrong with it.
func (q query) said(name string) string {
	if q.values[name] == "" {
		return ""
	}
	return "is " + strconv.Quote(document.Cut(q.values[name])) + ", "
}

func (q query) length(name, usual string, to *time.Duration) bool {
	length, err := rollup.ParseLength(cmp.Or(q.values[name], usual))
	if *to = length; err != nil {
		q.faults.Add(document.CodeValue, name, "is %q, must be a number of minutes, hours or days, such as 5m, 24h or 30d", document.Cut(q.values[name]))
	}
	return err == nil
}
