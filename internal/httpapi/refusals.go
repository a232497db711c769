package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// refusals lets a foreign handler answer, except with an error: that is held
// back, to be sent as a problem like all others.
type refusals struct {
	http.ResponseWriter
	status int // of the error that was held back, 0 without
}

// WriteHeader passes on what is no error.
func (w *refusals) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.status = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write drops the text of an error.
func (w *refusals) Write(b []byte) (int, error) {
	if w.status != 0 {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets the connection be taken over.
func (w *refusals) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// err is the error that was held back. The headers written for its text go.
func (w *refusals) err() error {
	if w.status == 0 {
		return nil
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding"} {
		w.Header().Del(name)
	}
	return echo.NewHTTPError(w.status)
}
