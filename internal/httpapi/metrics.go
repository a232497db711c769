package httpapi

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/rollup"
)

const (
	defaultWindow   = "24h"
	defaultInterval = 5 * time.Second
	leastInterval   = time.Second
	mostInterval    = time.Hour
	sendWithin      = 5 * time.Second
	closeWithin     = 200 * time.Millisecond
)

func (a *API) routingMetrics(c echo.Context) error {
	w, err := readWindow(c)
	if err != nil {
		return err
	}
	report, err := a.Metrics.Report(c.Request().Context(), callerOf(c).Project, w)
	if err != nil {
		return errors.Join(errUnavailable, err)
	}
	return c.JSON(http.StatusOK, report)
}

// readWindow reads a query that has a window, or none.
func readWindow(c echo.Context) (rollup.Window, error) {
	name, err := onlyParameter(c, "window")
	if err != nil {
		return rollup.Window{}, err
	}
	w, err := rollup.ParseWindow(cmp.Or(name, defaultWindow))
	if err != nil {
		var names []string
		for _, w := range rollup.Windows() {
			names = append(names, w.Name)
		}
		return w, document.Invalid("window", "is %q, must be one of: %s", document.Cut(name), strings.Join(names, ", "))
	}
	return w, nil
}

// live answers with the latest snapshot, or, to a WebSocket, with one at once
// and one every interval.
func (a *API) live(c echo.Context) error {
	text, err := onlyParameter(c, "interval")
	if err != nil {
		return err
	}
	interval, err := intervalOf(text)
	if err != nil {
		return err
	}
	if c.IsWebSocket() {
		return a.listen(c, interval)
	}
	body, err := a.screen.snapshot(c.Request().Context(), viewOf(callerOf(c)))
	if err != nil {
		return errors.Join(errUnavailable, err)
	}
	return c.JSONBlob(http.StatusOK, body)
}

func intervalOf(text string) (time.Duration, error) {
	if text == "" {
		return defaultInterval, nil
	}
	interval, err := time.ParseDuration(text)
	if err != nil || interval < leastInterval || interval > mostInterval {
		return 0, document.Invalid("interval", "is %q, must be a duration from 1s to 1h", document.Cut(text))
	}
	return interval, nil
}

// listen turns the request into a live feed. Pages of other websites are
// refused: browsers let them open WebSockets anywhere.
func (a *API) listen(c echo.Context, interval time.Duration) error {
	done, ok := a.Health.beginFeed()
	if !ok {
		return errStopping
	}
	defer done()
	w := &refusals{ResponseWriter: c.Response()}
	conn, err := websocket.Accept(w, c.Request(), nil)
	if err != nil {
		return errors.Join(w.err(), err)
	}
	a.feed(c.Request(), conn, viewOf(callerOf(c)), interval)
	return nil
}

// feed sends snapshots until the listener leaves, may listen no more, or the
// process stops. Intervals in which none can be read are left out.
func (a *API) feed(r *http.Request, conn *websocket.Conn, v view, interval time.Duration) {
	ctx, left := context.WithCancel(r.Context())
	var listening sync.WaitGroup
	defer listening.Wait()
	defer conn.CloseNow()
	a.screen.listeners.Add(1)
	defer a.screen.listeners.Add(-1)
	listening.Go(func() {
		defer left()
		ignoreMessages(ctx, conn)
	})
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if !a.stands(r) {
			a.goodbye(conn, websocket.StatusPolicyViolation, errMayNoMore.Error())
			return
		}
		if body, err := a.screen.snapshot(ctx, v); err != nil {
			a.Log.Debug("no snapshot for the live feed", "err", err)
		} else if err := send(ctx, conn, body); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-a.Health.draining:
			a.goodbye(conn, websocket.StatusGoingAway, "restarting")
			return
		case <-tick.C:
		}
	}
}

// ignoreMessages returns when the listener has left. The library's CloseRead
// would close the connection at the first message, and in that wait for itself.
func ignoreMessages(ctx context.Context, conn *websocket.Conn) {
	for {
		_, message, err := conn.Reader(ctx)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, message); err != nil {
			return
		}
	}
}

// send gives up a listener that does not take a snapshot in time. Until then,
// snapshots that come meanwhile are left out.
func send(ctx context.Context, conn *websocket.Conn, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, body)
}

// goodbye tells a listener why the feed ends, without waiting long for an answer.
func (a *API) goodbye(conn *websocket.Conn, why websocket.StatusCode, words string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = conn.Close(why, words)
	}()
	select {
	case <-done:
	case <-time.After(closeWithin):
	}
}
