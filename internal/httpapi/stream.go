package httpapi

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/tail"
)

const (
	headerLastEventID = "Last-Event-ID"
	// heartbeatEvery is below what proxies take for a dead connection.
	heartbeatEvery = 10 * time.Second
	// markEvery is how often a client hears how far it has come while nothing
	// passes its filter.
	markEvery = time.Second
	// startWithin bounds the search for the end of a stream.
	startWithin = 2 * time.Second
	// lookEvery is the wait after a read that failed.
	lookEvery = 500 * time.Millisecond
)

// stream serves a result stream as server-sent events. The id of each event is
// the position behind it in all partitions, so that a client that comes back
// with it goes on exactly there.
func (a *API) stream(hub *tail.Hub) echo.HandlerFunc {
	return func(c echo.Context) error {
		from, filter, err := readStart(c, hub.Partitions())
		if err != nil {
			return err
		}
		h := c.Response().Header()
		if c.Request().Method == http.MethodHead {
			h.Set(echo.HeaderContentType, eventStreamType)
			return c.NoContent(http.StatusOK)
		}
		done, ok := a.Health.beginFeed()
		if !ok {
			return errStopping
		}
		defer done()
		ctx, cancel := context.WithTimeout(c.Request().Context(), startWithin)
		l, err := hub.Listen(ctx, from, filter)
		cancel()
		if errors.Is(err, tail.ErrFull) {
			return err
		}
		if err != nil {
			return errors.Join(errNoStream, err)
		}
		defer l.Close()
		a.follow(c, l)
		return nil
	}
}

// Parameters of streams that may come more than once.
var followed = []string{"user_id", "model", "experiment", "provider", "strategy", "status", "cache"}

// readStart finds where to begin: a client that reconnects sends the header,
// beside the query it has used from the first; so the header counts first. No
// position means the end.
func readStart(c echo.Context, partitions int) (from tail.Position, f tail.Filter, err error) {
	q, err := readQuery(c, followed...)
	if err != nil {
		return nil, f, err
	}
	q.refuseOthers(append([]string{"last_event_id", "from"}, followed...)...)
	f = tail.Filter{Project: callerOf(c).Project, Users: q.list("user_id"), Models: q.list("model"), Experiments: q.list("experiment"),
		Providers: q.list("provider"), Strategies: q.list("strategy"), Statuses: q.statuses(), Caches: q.caches()}
	switch start := q.values["from"]; start {
	case "", "now":
	case "start":
		from = make(tail.Position, partitions)
	default:
		q.faults.Add(document.CodeValue, "from", "is %q, must be one of: now, start", document.Cut(start))
	}
	for _, last := range []struct{ name, id string }{
		{"last_event_id", q.values["last_event_id"]},
		{headerLastEventID, c.Request().Header.Get(headerLastEventID)},
	} {
		if last.id == "" {
			continue
		}
		position, err := tail.ParsePosition(last.id, partitions)
		if err != nil {
			q.faults.Add(document.CodeValue, last.name, "is not an id that this stream has given out: %s", document.Cut(err.Error()))
			continue
		}
		from = position
	}
	return from, f, q.faults.Err()
}

// errMayNoMore ends a stream. A client that comes back is told why.
var errMayNoMore = errors.New("its key or session has ended")

// follow sends what comes until the client leaves, may listen no more, or the
// process stops.
func (a *API) follow(c echo.Context, l *tail.Listener) {
	ctx, cancel := context.WithCancel(c.Request().Context())
	f := follower{listener: l, out: newFeed(c.Response(), c.Request()), stands: func() bool { return a.stands(c.Request()) }}
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() {
		select {
		case <-ctx.Done():
		case <-a.Health.draining:
			f.out.hurry()
			cancel()
		}
	})
	if err := f.run(ctx); err != nil {
		a.Log.Debug("a listener is gone", "request_id", idOf(c), "err", err)
	}
}

// follower brings a listener's events to one client. It reads a page when the
// one before is sent: how slow a client is, is its own affair.
type follower struct {
	listener *tail.Listener
	out      *eventWriter
	stands   func() bool // whether the client may still listen
	degraded bool        // the client was told so
	known    string      // the last id that the client has
	wrote    time.Time   // when it last got anything
}

func (f *follower) run(ctx context.Context) error {
	if err := f.mark(time.Now()); err != nil { // a client that is cut off before its first event has a place to go on
		return err
	}
	for {
		changed := f.listener.Changed()
		events, moved, failure := f.listener.Read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !f.stands() {
			return errMayNoMore
		}
		if err := f.send(events, failure); err != nil {
			return err
		}
		if !moved {
			f.wait(ctx, changed)
		}
	}
}

// send sends events, what has changed about the store, and otherwise a sign of
// life when it is time for one.
func (f *follower) send(events []tail.Event, failure error) error {
	now := time.Now()
	if err := f.tellHealth(now, failure); err != nil {
		return err
	}
	for _, e := range events {
		if err := f.out.event(e.Type, e.At, e.Data); err != nil {
			return err
		}
		f.known, f.wrote = e.At, now
	}
	if due := f.due(); len(events) == 0 && now.Before(due) {
		return nil
	} else if len(events) == 0 {
		return f.mark(now)
	}
	return f.out.flush()
}

func (f *follower) tellHealth(now time.Time, failure error) error {
	if (failure != nil) == f.degraded {
		return nil
	}
	f.degraded, f.wrote = failure != nil, now
	name := "recovered"
	if f.degraded {
		name = "degraded"
	}
	if err := f.out.event(name, "", []byte(`{"store":"redis"}`)); err != nil {
		return err
	}
	return f.out.flush()
}

// due is when the client should hear from us, events or none.
func (f *follower) due() time.Time {
	if f.listener.Position().String() != f.known {
		return f.wrote.Add(markEvery)
	}
	return f.wrote.Add(heartbeatEvery)
}

// mark tells the client how far it has come.
func (f *follower) mark(now time.Time) error {
	f.known, f.wrote = f.listener.Position().String(), now
	if err := f.out.mark(f.known); err != nil {
		return err
	}
	return f.out.flush()
}

// wait returns when it is worth looking again.
func (f *follower) wait(ctx context.Context, changed <-chan struct{}) {
	patience := time.Until(f.due())
	if f.degraded {
		patience = min(patience, lookEvery)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-changed:
	case <-timer.C:
	}
}
