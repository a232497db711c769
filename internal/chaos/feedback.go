package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// judges are clients that say what they think of answers. They write down the
// id of every verdict that was accepted.
type judges struct {
	sent, refused, unanswered atomic.Int64

	mu       sync.Mutex
	accepted map[string]string // requests, by the ids of verdicts on them
}

// Of the answers, some are judged, and some of these twice, through both APIs
// at once: one of the two may teach.
const (
	judgedShare = 0.5
	twiceShare  = 0.1 // of all
	goodShare   = 0.7 // of verdicts
)

// judge says something of an answer, or nothing, by its marker.
func (l *load) judge(marker, request string) {
	fate := fateOf(marker, 2)
	chance := fate.Float64()
	for i, api := range l.apis {
		if chance < twiceShare || chance < judgedShare && i == int(fate.Uint64()%2) {
			good := fate.Float64() < goodShare
			l.all.Go(func() { l.say(context.Background(), api, marker, request, good) })
		}
	}
}

func (l *load) say(ctx context.Context, api *process, marker, request string, good bool) {
	l.judges.sent.Add(1)
	body := fmt.Appendf(nil, `{"request_id": %q, "correct": %t, "source": "chaos"}`, request, good)
	asked, err := http.NewRequestWithContext(ctx, http.MethodPost, api.life.Load().url()+"/feedback", bytes.NewReader(body))
	if err != nil {
		l.note("feedback on %s: %v", marker, err)
		return
	}
	asked.Header.Set("Content-Type", "application/json")
	l.callers.operator.sign(asked)
	response, err := l.client.Do(asked)
	if err != nil {
		l.judges.unanswered.Add(1)
		return
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		l.judges.unanswered.Add(1)
		return
	}
	l.hearVerdict(marker, request, response.StatusCode, text)
}

func (l *load) hearVerdict(marker, request string, status int, text []byte) {
	var told struct {
		ID      string `json:"id"`
		Request string `json:"request_id"`
	}
	switch {
	case status == http.StatusServiceUnavailable:
		l.judges.refused.Add(1)
	case status != http.StatusAccepted || json.Unmarshal(text, &told) != nil || told.ID == "" || told.Request != request:
		l.note("feedback on %s: status %d: %.200q", marker, status, text)
	default:
		l.judges.mu.Lock()
		defer l.judges.mu.Unlock()
		if before, ok := l.judges.accepted[told.ID]; ok {
			l.note("feedback on %s and on %s got the id %s", before, request, told.ID)
		}
		l.judges.accepted[told.ID] = request
	}
}

// unjoined says whether verdicts wait that somebody gave: others wait on
// purpose.
func (e *engine) unjoined(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, e.stores.stack.DatabaseURL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var n int64
	err = conn.QueryRow(ctx, `SELECT count(*) FROM feedback WHERE state = 'waiting' AND NOT implicit`).Scan(&n)
	if err == nil && n > 0 {
		err = fmt.Errorf("%d verdicts are not joined to their answers", n)
	}
	return err
}

// verdictsAreStored finds every verdict that was accepted exactly once, and
// joined to its answer.
func (e *engine) verdictsAreStored(ctx context.Context, _ []row) (Check, error) {
	c := Check{What: "every verdict that was accepted is stored exactly once, and joined to its answer"}
	conn, err := pgx.Connect(ctx, e.stores.stack.DatabaseURL)
	if err != nil {
		return c, err
	}
	defer conn.Close(ctx)
	found, err := conn.Query(ctx, `SELECT id::text, request_id::text, state FROM feedback WHERE NOT implicit`)
	if err != nil {
		return c, err
	}
	times, states, wrong := map[string]int{}, map[string]int{}, sample{}
	var id, request, state string
	_, err = pgx.ForEachRow(found, []any{&id, &request, &state}, func() error {
		times[id]++
		states[state]++
		if on, ok := e.load.judges.accepted[id]; ok && on != request {
			wrong.add("%s: accepted on %s, stored on %s", id, on, request)
		}
		if state != "learned" && state != "kept" {
			wrong.add("%s on %s is %s", id, request, state)
		}
		return nil
	})
	if err != nil {
		return c, err
	}
	for id, request := range e.load.judges.accepted {
		if times[id] != 1 {
			wrong.add("%s on %s is stored %d times", id, request, times[id])
		}
	}
	c.Result = fmt.Sprintf("%d accepted, stored as %v, %d wrong%s", len(e.load.judges.accepted), states, wrong.n, wrong)
	c.Holds = wrong.n == 0 && states["learned"] > 0 && int64(len(times)) <= e.load.judges.sent.Load()
	return c, nil
}

// lessonsAreOnce: what is learned from has no gap, and nothing teaches twice.
func (e *engine) lessonsAreOnce(ctx context.Context, _ []row) (Check, error) {
	c := Check{What: "lessons have no gap, and each verdict that teaches has one"}
	conn, err := pgx.Connect(ctx, e.stores.stack.DatabaseURL)
	if err != nil {
		return c, err
	}
	defer conn.Close(ctx)
	var lessons, last, requests, taught, orphans, snapshots int64
	err = conn.QueryRow(ctx, `
		SELECT count(*), coalesce(max(n), 0), count(request_id), count(DISTINCT request_id),
			(SELECT count(*) FROM (SELECT request_id FROM feedback WHERE state = 'learned') AS f FULL JOIN
				(SELECT request_id FROM lessons WHERE request_id IS NOT NULL) AS l USING (request_id) WHERE f IS NULL OR l IS NULL)
				+ (SELECT count(*) - count(DISTINCT request_id) FROM feedback WHERE state = 'learned'),
			(SELECT count(*) FROM snapshots)
		FROM lessons`).Scan(&lessons, &last, &requests, &taught, &orphans, &snapshots)
	if err != nil {
		return c, err
	}
	c.Result = fmt.Sprintf("%d lessons up to number %d, of verdicts on %d requests, %d without their verdict or taught again, in %d snapshots",
		lessons, last, taught, orphans+requests-taught, snapshots)
	c.Holds = lessons == last && requests == taught && orphans == 0 && taught > 0 && snapshots > 0
	return c, nil
}
