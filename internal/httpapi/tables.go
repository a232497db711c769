package httpapi

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
)

const (
	formatJSON = "json"
	formatCSV  = "csv"
)

func wantsCSV(c echo.Context) bool {
	return strings.Contains(c.Request().Header.Get(echo.HeaderAccept), "text/csv")
}

// format is what is asked for, in the query or by Accept.
func (q query) format(c echo.Context) string {
	usual := formatJSON
	if wantsCSV(c) {
		usual = formatCSV
	}
	format := cmp.Or(q.values["format"], usual)
	if format != formatJSON && format != formatCSV {
		q.faults.Add(document.CodeValue, "format", "is %q, must be json or csv", document.Cut(format))
	}
	return format
}

// sendTable answers with a table, once all of it is written.
func sendTable(c echo.Context, write func(io.Writer) error) error {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "text/csv; charset=utf-8", text.Bytes())
}
