package app_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/storetest"
)

// previousFile names the commit of the release before.
const previousFile = "../../schema/previous-release"

// previousCommit is that commit. A clone that lacks it is asked to fetch it;
// nothing is skipped.
func previousCommit(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(previousFile)
	if err != nil {
		t.Fatal(err)
	}
	commit, _, _ := strings.Cut(string(text), "\n")
	if exec.CommandContext(t.Context(), "git", "cat-file", "-e", commit+"^{commit}").Run() == nil {
		return commit
	}
	if out, err := exec.CommandContext(t.Context(), "git", "fetch", "--depth=1", "origin", commit).CombinedOutput(); err != nil {
		t.Fatalf("the commit of the release before, %s, is not in this clone and cannot be fetched (%v: %s): clone with all of the history, "+
			"or run git fetch --unshallow", commit, err, out)
	}
	return commit
}

// buildPrevious builds the commands of the release before, once for each
// commit, and gives their folder.
func buildPrevious(t *testing.T) string {
	t.Helper()
	commit := previousCommit(t)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	built := filepath.Join(cache, "busu", "previous", commit+"-"+runtime.GOOS+"-"+runtime.GOARCH)
	if _, err := os.Stat(built); err == nil {
		return built
	}
	if err := os.MkdirAll(filepath.Dir(built), 0o755); err != nil {
		t.Fatal(err)
	}
	source, err := os.MkdirTemp(filepath.Dir(built), "build-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(source)
	archive := filepath.Join(source, "source.tar")
	root := command(t, ".", "git", "rev-parse", "--show-toplevel")
	command(t, root, "git", "archive", "--output="+archive, commit, "go.mod", "go.sum", "cmd", "internal", "schema")
	command(t, source, "tar", "-xf", archive)
	command(t, source, "go", "build", "-trimpath", "-buildvcs=false", "-o", "out/", "./cmd/api", "./cmd/worker", "./cmd/aggregator")
	if err := os.Rename(filepath.Join(source, "out"), built); err != nil && !os.IsExist(err) {
		if _, other := os.Stat(built); other != nil { // nobody else was faster
			t.Fatal(err)
		}
	}
	return built
}

// command runs a program, and gives what it said.
func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// tomorrow is what the next release might add to the schema.
const tomorrow = `
ALTER TABLE completions ADD COLUMN of_tomorrow text;
ALTER TABLE feedback ADD COLUMN of_tomorrow bigint NOT NULL DEFAULT 7;
CREATE TABLE of_tomorrow (id bigint PRIMARY KEY);
INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`

// rollout is an installation in the middle of one: each process is of the
// release before or of today, and schema and streams are ahead of both.
type rollout struct {
	t                    *testing.T
	previous             string
	api, worker, counter []string // environments, which stay
	conn                 *pgx.Conn
	answers, verdicts    int
}

// The release before runs on today's schema and streams, even when they have
// been added to, and one process after the other may be of either: requests
// are answered, facts and verdicts stored once, journals taken over both ways.
func TestPreviousReleaseOnNewerSchema(t *testing.T) {
	t.Parallel()
	r := &rollout{t: t, previous: buildPrevious(t)}
	database := storetest.Postgres(t)
	env := func() []string {
		return []string{"DATABASE_URL=" + database, "REDIS_URL=" + storetest.Redis(t), "BUSU_STATE_DIR=" + stateDir(t), "BUSU_CONFIG=" + configFile(t, quick)}
	}
	r.api = env()
	redis := r.api[1]
	r.worker, r.counter = env(), env()
	r.worker[1], r.counter[1] = redis, redis
	r.conn = connect(t, database)
	if _, err := r.conn.Exec(t.Context(), tomorrow); err != nil {
		t.Fatal(err)
	}
	for _, old := range []struct{ api, worker bool }{{true, false}, {false, true}, {true, true}, {false, false}} {
		r.run(old.api, old.worker)
	}
}

// of starts a command of the release before, or of today.
func (r *rollout) of(old bool, env []string, name string) *process {
	r.t.Helper()
	if old {
		name = filepath.Join(r.previous, name)
	}
	return start(r.t, nil, env, name)
}

// run starts processes, asks and judges, waits until all of it is stored, and
// stops them.
func (r *rollout) run(oldAPI, oldWorker bool) {
	r.t.Helper()
	const questions = 20
	worker, counter := r.of(oldWorker, r.worker, "worker"), r.of(oldWorker, r.counter, "aggregator")
	api := r.of(oldAPI, r.api, "api")
	for i := range questions {
		var answer struct {
			ID string `json:"request_id"`
		}
		api.post("/complete", fmt.Sprintf(`{"prompt": "question %d", "user_id": "user %d"}`, r.answers, i%5), 200, &answer)
		r.answers++
		if i%4 == 0 {
			api.post("/feedback", fmt.Sprintf(`{"request_id": %q, "score": 1}`, answer.ID), 202, nil)
			r.verdicts++
		}
	}
	what := fmt.Sprintf("facts of an API that is old (%t) are stored by a worker that is old (%t)", oldAPI, oldWorker)
	worker.until(what, func() bool { return r.rows("completions") >= r.answers && r.rows("feedback") >= r.verdicts })
	if rows, verdicts := r.rows("completions"), r.rows("feedback"); rows != r.answers || verdicts != r.verdicts {
		r.t.Errorf("%d answers and %d verdicts are %d and %d rows", r.answers, r.verdicts, rows, verdicts)
	}
	check := launch(r.t, nil, r.api, "busu", "reconcile", "--wait", "25s") // while they run: they say that nothing is under way
	if code := check.end(); code != 0 {
		r.t.Errorf("%s, and the books do not agree: %s%s", what, check.stdout.String(), check.stderr.String())
	}
	for _, p := range []*process{api, worker, counter} {
		p.stop()
	}
}

func (r *rollout) rows(table string) (n int) {
	r.t.Helper()
	if err := r.conn.QueryRow(r.t.Context(), "SELECT count(*) FROM "+pgx.Identifier{table}.Sanitize()).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}
