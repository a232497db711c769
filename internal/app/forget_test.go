package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/storetest"
)

// forgets removes a user through a process, and returns what it says.
func (p *process) forgets(user string) map[string]int {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodDelete, p.base+"/users/"+user, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	answered, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	var got struct{ Removed map[string]int }
	p.decode(answered, http.StatusOK, &got)
	return got.Removed
}

// TestForgottenEverywhere: what was made for a user is nowhere any more, in
// no process and on no level, whether the API or the command is asked; what
// was made for others stays.
func TestForgottenEverywhere(t *testing.T) {
	t.Parallel()
	database, redis := storetest.Postgres(t), storetest.Redis(t)
	env := func() []string {
		return []string{"DATABASE_URL=" + database, "REDIS_URL=" + redis, "BUSU_STATE_DIR=" + stateDir(t), "BUSU_CONFIG=" + configFile(t, quick)}
	}
	one, other := start(t, nil, env(), "api"), start(t, nil, env(), "api")
	conn := connect(t, database)
	// from says where a process has the answer to a user's question.
	from := func(p *process, user string, question int) string {
		return p.send("/complete", fmt.Sprintf(`{"prompt": "What does %s ask in %d?", "user_id": %q}`, user, question, user)).header.Get("X-Busu-Cache")
	}
	// replays says whether an answer is kept for a repetition.
	replays := func(user string) bool {
		body := fmt.Sprintf(`{"prompt": "What does %s ask?", "user_id": %q, "cache": "bypass"}`, user, user)
		return one.send("/complete", body, "Idempotency-Key", user).header.Get("Idempotent-Replayed") != ""
	}
	kept := func(user string) bool {
		for _, p := range []*process{one, other} {
			if from(p, user, 1) != "memory" || from(p, user, 2) != "memory" {
				return false
			}
		}
		return replays(user)
	}
	forget := map[string]func(user string) string{
		"the API": func(user string) string {
			removed := one.forgets(user)
			return fmt.Sprint(removed["redis"], removed["postgres"], removed["idempotency"])
		},
		"the command": func(user string) string {
			p := launch(t, nil, env(), "busu", "forget", "--user", user)
			if code := p.end(); code != 0 {
				t.Errorf("exit code %d: %s", code, p.stderr.String())
			}
			counts := map[string]string{}
			for line := range strings.Lines(p.stdout.String()) {
				if fields := strings.Fields(line); len(fields) == 2 {
					counts[fields[0]] = fields[1]
				}
			}
			return strings.Join([]string{counts["redis"], counts["postgres"], counts["idempotency"]}, " ")
		},
	}
	for name, forget := range forget {
		for _, user := range []string{"ann", "bob"} {
			one.until("both processes keep what "+user+" asked", func() bool { return kept(user) })
		}
		// PostgreSQL may have been too slow to take an answer, which is no harm, or
		// take it behind the count.
		const rows = `SELECT count(*) FROM response_cache WHERE user_id = 'ann'`
		stored := count(t, conn, rows)
		if said := forget("ann"); said != fmt.Sprintf("2 %d 1", stored) && said != "2 2 1" || stored == 0 || count(t, conn, rows) != 0 {
			t.Errorf("%s removed %s of Redis, PostgreSQL, which had %d, and the keys", name, said, stored)
		}
		for question, p := range []*process{one, other} { // they hear of it in a moment
			p.until("what ann asked is asked anew", func() bool { return from(p, "ann", question+1) == "miss" })
		}
		if replays("ann") || !kept("bob") {
			t.Errorf("%s let ann repeat a request, or removed bob's", name)
		}
	}
	if removed := other.forgets("eve"); removed["memory"]+removed["redis"]+removed["postgres"]+removed["idempotency"] != 0 {
		t.Errorf("nobody's answers were %v", removed)
	}
}
