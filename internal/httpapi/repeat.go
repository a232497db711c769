package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/idempotency"
	"github.com/busuhq/busu/internal/messages"
)

const (
	headerIdempotencyKey = "Idempotency-Key"
	headerReplayed       = "Idempotent-Replayed"
	// rememberWithin bounds what a request waits for the store of answers before
	// it is answered without, and keepWithin what it waits after: what is not
	// kept is paid twice when it is asked again.
	rememberWithin = time.Second
	keepWithin     = 2 * time.Second
	// finishWithin bounds a request whose client has left.
	finishWithin = idempotency.Longest

	noIdempotency = "idempotency"
)

// repeatable answers a request with an Idempotency-Key once: who sends it
// again gets the same answer. Its client may leave: the answer is made all the
// same, since it will be asked for. Failures are not kept. It is put around a
// handler once: what Echo puts around one, it does for each request.
func (a *API) repeatable(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		named := given(c.Request().Header, headerIdempotencyKey)
		if named == "" || a.Repeats == nil {
			return next(c)
		}
		if len(named) > idempotency.MaxKey || !storable(named) {
			return document.Invalid(headerIdempotencyKey, "is longer than %d bytes, or cannot be stored", idempotency.MaxKey)
		}
		fingerprint, err := fingerprintOf(c)
		if err != nil {
			return err
		}
		key := repeatKey(callerOf(c).Project, named)
		token := uuid.NewString()
		ctx, cancel := context.WithTimeout(c.Request().Context(), rememberWithin)
		kept, err := a.Repeats.Begin(ctx, key, fingerprint, token)
		cancel()
		switch {
		case errors.Is(err, idempotency.ErrInFlight), errors.Is(err, idempotency.ErrOtherRequest):
			return err
		case err != nil:
			a.Log.Debug("a repetition of this request could not be told", "request_id", idOf(c), "err", err)
			exchangeOf(c).degraded = noIdempotency
			return next(c)
		case kept != nil:
			return resend(c, kept)
		}
		return a.answerOnce(c, next, key, token)
	}
}

// repeatKey is what an answer is kept under. No project has a colon in its name.
func repeatKey(project, given string) string { return project + ":" + given }

// fingerprintOf reads a body and leaves it to be read again: in a copy, since the
// server looks at the body of its own request.
func fingerprintOf(c echo.Context) (string, error) {
	body, err := readBody(c.Request())
	if err != nil {
		return "", err
	}
	r := c.Request().WithContext(c.Request().Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.SetRequest(r)
	parts := [][]byte{[]byte(r.URL.Path), body}
	for _, name := range slices.Concat(askingHeaders(), messages.Headers()) {
		parts = append(parts, []byte(strings.Join(r.Header.Values(name), ",")))
	}
	return idempotency.Fingerprint(parts...), nil
}

// answerOnce makes the answer and keeps it.
func (a *API) answerOnce(c echo.Context, next echo.HandlerFunc, key, token string) error {
	exchangeOf(c).repeated = key
	ctx, stop := a.outliving(c.Request().Context())
	defer stop()
	var renewing sync.WaitGroup
	renewing.Go(func() { a.renew(ctx, key, token) })
	defer renewing.Wait()
	defer stop()

	var answer []byte
	defer func() { // also when it panics: the lease must not stay
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepWithin)
		defer cancel()
		if err := a.Repeats.End(ending, key, token, answer); err != nil {
			a.Log.Warn("an answer could not be kept for a repetition of its request", "request_id", idOf(c), "err", err)
		}
	}()
	recorder := &recorder{ResponseWriter: c.Response().Writer}
	c.Response().Writer = recorder
	c.SetRequest(c.Request().WithContext(ctx))
	err := next(c)
	if err == nil && c.Response().Status < http.StatusBadRequest && !exchangeOf(c).notKept {
		answer = recorder.answer(c.Response()).Encode()
	}
	return err
}

// own says whose an answer is that will be kept for a repetition: it goes when
// they are forgotten. Where that cannot be said it is not kept.
func (a *API) own(c echo.Context, r *gateway.Request) {
	key := exchangeOf(c).repeated
	if key == "" || r.UserID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), rememberWithin)
	defer cancel()
	if err := a.Repeats.Own(ctx, key, r.Project, r.UserID); err != nil {
		a.Log.Debug("a repetition of this request will not be told", "request_id", idOf(c), "err", err)
		exchangeOf(c).notKept = true
		r.Degraded = append(slices.Clone(r.Degraded), noIdempotency)
	}
}

// outliving is a request's context without its client: only when the process
// stops does it count whether that is still there.
func (a *API) outliving(request context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(request), finishWithin)
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-a.Health.draining:
		}
		select {
		case <-ctx.Done():
		case <-request.Done():
			cancel()
		}
	}()
	return ctx, cancel
}

func (a *API) renew(ctx context.Context, key, token string) {
	tick := time.NewTicker(idempotency.Renew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		renewing, cancel := context.WithTimeout(ctx, idempotency.Renew)
		if err := a.Repeats.Renew(renewing, key, token); err != nil {
			a.Log.Debug("the lease of an idempotency key could not be renewed", "err", err)
		}
		cancel()
	}
}

// resend sends an answer again.
func resend(c echo.Context, kept []byte) error {
	answer, err := idempotency.Decode(kept)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	for name, value := range answer.Header {
		h.Set(name, value)
	}
	h.Set(headerReplayed, "true")
	return c.Blob(answer.Status, answer.Header[echo.HeaderContentType], answer.Body)
}

// recorder keeps what is sent. When its client has left, it goes on keeping.
type recorder struct {
	http.ResponseWriter
	body bytes.Buffer
	gone bool
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	if r.body.Len() <= idempotency.MaxAnswer {
		r.body.Write(b)
	}
	if !r.gone {
		_, err := r.ResponseWriter.Write(b)
		r.gone = err != nil
	}
	return len(b), nil
}

// FlushError is found by http.ResponseController.
func (r *recorder) FlushError() error {
	if !r.gone {
		r.gone = ignoreUnsupported(http.NewResponseController(r.ResponseWriter).Flush()) != nil
	}
	return nil
}

// SetWriteDeadline is found by http.ResponseController.
func (r *recorder) SetWriteDeadline(t time.Time) error {
	if !r.gone {
		r.gone = ignoreUnsupported(http.NewResponseController(r.ResponseWriter).SetWriteDeadline(t)) != nil
	}
	return nil
}

// Unwrap gives the rest of what a connection can do.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// answer is what was sent, with the headers that tell what was done.
func (r *recorder) answer(response *echo.Response) idempotency.Answer {
	a := idempotency.Answer{Status: response.Status, Header: map[string]string{}, Body: r.body.Bytes()}
	for name := range response.Header() {
		if name == echo.HeaderContentType || name == headerRequestID || name == headerAnthropic || strings.HasPrefix(name, headersOfBusu) {
			a.Header[name] = response.Header().Get(name)
		}
	}
	return a
}
