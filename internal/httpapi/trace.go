package httpapi

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// Tracer follows requests through the process.
type Tracer interface {
	// Begin follows one from here on: within ctx, until done is told the status
	// of its answer.
	Begin(r *http.Request, route string, id uuid.UUID) (ctx context.Context, done func(status int))
}

// traced reports whether a route's requests are: those of prompts.
func traced(route string) bool {
	switch route {
	case "/complete", "/recommendation", "/v1/chat/completions", "/v1/messages", "/v1/embeddings":
		return true
	}
	return false
}

// trace follows requests whose callers are known.
func (a *API) trace(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		if !traced(c.Path()) {
			return next(c)
		}
		ctx, done := a.Tracer.Begin(c.Request(), c.Path(), idOf(c))
		c.SetRequest(c.Request().WithContext(ctx))
		status := http.StatusInternalServerError // of a panic
		defer func() { done(status) }()
		if err = next(c); err != nil {
			status = problemOf(err).Status
		} else {
			status = c.Response().Status
		}
		return err
	}
}
