package postgres_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/storetest"
)

// A fact that is stored in the very moment in which its day is made is stored in
// that day. Chaos found it in the dead letters, and every new database told of
// it in its log.
func TestFactFindsTheDayThatIsMadeMeanwhile(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	facts := completions(7, 1, time.Minute)
	maker, watcher := connect(t, url), connect(t, url)
	for _, sql := range []string{
		`BEGIN`, `CREATE TABLE completions_20261123 (LIKE completions INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`,
		`ALTER TABLE completions ATTACH PARTITION completions_20261123 FOR VALUES FROM ('2026-11-23T00:00:00Z') TO ('2026-11-24T00:00:00Z')`,
	} {
		if _, err := maker.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	stored := make(chan error, 1)
	go func() {
		_, err := db.Persist(t.Context(), facts)
		stored <- err
	}()
	for waits := false; !waits; time.Sleep(5 * time.Millisecond) {
		if err := watcher.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks
			WHERE relation = 'completions_default'::regclass AND NOT granted)`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := maker.Exec(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	if err := <-stored; err != nil {
		t.Errorf("a fact whose day was made meanwhile: %v", err)
	}
	var here int
	if err := watcher.QueryRow(t.Context(), `SELECT count(*) FROM completions_20261123`).Scan(&here); err != nil || here != 1 {
		t.Errorf("its day has %d facts (%v)", here, err)
	}
}
