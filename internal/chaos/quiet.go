package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/busuhq/busu/internal/redisdb"
)

// mostConsumers is how many names two workers on one machine read under.
const mostConsumers = 2

// streamsAreDone: nothing is pending, nothing is dead, and names of consumers
// do not pile up.
func (e *engine) streamsAreDone(ctx context.Context, _ []row) (Check, error) {
	c := Check{What: "nothing is pending, no dead letters, no consumers too many"}
	raw := e.stores.raw
	dead, err := raw.XLen(ctx, "busu:dead").Result()
	if err != nil {
		return c, err
	}
	held, most := int64(0), 0
	for _, lane := range lanes() {
		pending, err := raw.XPending(ctx, redisdb.StreamKey(lane), "persist").Result()
		if err != nil {
			return c, err
		}
		consumers, err := raw.XInfoConsumers(ctx, redisdb.StreamKey(lane), "persist").Result()
		if err != nil {
			return c, err
		}
		held, most = held+pending.Count, max(most, len(consumers))
	}
	c.Result = fmt.Sprintf("%d pending, %d dead letters, %d consumers of a stream at most", held, dead, most)
	c.Holds = held == 0 && dead == 0 && most <= mostConsumers
	return c, nil
}

// logsAreClean: no process panicked or logged an error.
func (e *engine) logsAreClean(context.Context, []row) (Check, error) {
	c := Check{What: "no error and no panic in any log"}
	wrong := sample{}
	lines := 0
	for _, p := range e.procs {
		n, err := readLog(p.log, &wrong)
		if err != nil {
			return c, err
		}
		lines += n
	}
	c.Result, c.Holds = fmt.Sprintf("%d lines, %d wrong%s", lines, wrong.n, wrong), wrong.n == 0
	return c, nil
}

func readLog(path string, wrong *sample) (lines int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for ; scanner.Scan(); lines++ {
		if isWrong(scanner.Text()) {
			wrong.add("%s: %.300s", filepath.Base(path), scanner.Text())
		}
	}
	return lines, scanner.Err()
}

// isWrong finds errors, and whatever is not a line of the log: panics, races,
// last words. A kill may cut a line short: its beginning is that of one.
func isWrong(line string) bool {
	var entry struct{ Level string }
	if json.Unmarshal([]byte(line), &entry) != nil {
		return !strings.HasPrefix(line, `{"time":`)
	}
	return entry.Level == "ERROR"
}

// answersAreRight: nobody got an answer that should not be.
func (e *engine) answersAreRight(context.Context, []row) (Check, error) {
	wrong := sample{}
	for _, w := range e.load.wrong {
		wrong.add("%s", w)
	}
	return Check{"every answer is 200, 502, 503, or of keys with limits 429, and complete, and no stream ends in silence", fmt.Sprintf("%d wrong%s", wrong.n, wrong), wrong.n == 0}, nil
}
