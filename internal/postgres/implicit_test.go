package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/verdict"
)

// becameOf says what became of the verdicts on requests, by their sources.
func becameOf(t *testing.T, db *postgres.DB, requests ...uuid.UUID) (became []string) {
	t.Helper()
	for _, id := range requests {
		var all []string
		shown, err := db.FeedbackOf(t.Context(), event.DefaultProject, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range shown {
			all = append(all, strings.TrimPrefix(deref(v.Source), verdict.ImplicitSource)+" "+v.State)
		}
		became = append(became, strings.Join(all, ", "))
	}
	return became
}

// teachGiven has given verdicts teach, so that there is something to weigh
// others against.
func teachGiven(t *testing.T, db *postgres.DB, n int) {
	t.Helper()
	facts, said := routed(99, n, time.Hour), verdicts(98, n)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	for i, f := range said {
		f.RequestID = facts[i].ID
	}
	persistFeedback(t, db, said...)
	if got := join(t, db, later(), 1000); got["learned"] != n {
		t.Fatalf("they became %v", got)
	}
}

// What an answer says itself waits, and teaches once where nobody says anything.
func TestAnswersThatSpeakForThemselves(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	teachGiven(t, db, 100)
	facts := routed(41, 6, time.Minute)
	for _, f := range facts {
		f.Implicit = event.ImplicitEmpty
	}
	facts[2].Implicit = ""
	facts[3].Features, facts[3].Strategy = nil, "complexity"
	facts[4].Status, facts[4].ErrorKind = event.StatusError, "timeout"
	facts[5].Implicit = event.ImplicitInvalid
	for range 2 { // the second time nothing is new
		if _, err := db.Persist(t.Context(), facts); err != nil {
			t.Fatal(err)
		}
	}
	if got := join(t, db, later(), 10); len(got) != 0 {
		t.Errorf("before their time they become %v", got)
	}
	said := verdicts(42, 1)[0]
	said.RequestID, said.Source = facts[1].ID, "user"
	persistFeedback(t, db, said)
	after := later().Add(verdict.ImplicitWait)
	if got := join(t, db, after, 10); got["learned"] != 3 || got["kept"] != 1 || len(got) != 2 {
		t.Errorf("they become %v", got)
	}
	ids := make([]uuid.UUID, len(facts))
	for i, f := range facts {
		ids[i] = f.ID
	}
	got := strings.Join(becameOf(t, db, ids...), " | ")
	const want = "empty learned | empty kept, user learned |  |  |  | invalid_json learned"
	if got != want && got != strings.Replace(want, "empty kept, user learned", "user learned, empty kept", 1) {
		t.Errorf("they became %s", got)
	}
	taught := lessons(t, db)
	for _, l := range taught[100:] {
		if lesson, err := learning.DecodeLesson(l.Lesson); err != nil || lesson.Verdict == nil {
			t.Errorf("lesson %d: %v", l.N, err)
		}
	}
	// What somebody says later is kept: it has been learned from.
	late := verdicts(43, 1)[0]
	late.RequestID = facts[0].ID
	persistFeedback(t, db, late)
	if got := join(t, db, after, 10); got["kept"] != 1 || len(lessons(t, db)) != 103 {
		t.Errorf("a late one becomes %v", got)
	}
	// The ledger counts only what came by a journal.
	ledger, err := db.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if lane := ledger.Lane("journal", "feedback/0"); lane.Rows != 102 {
		t.Errorf("the ledger counts %d verdicts", lane.Rows)
	}
}

// Without verdicts that somebody gave, nothing is learned from others: all of
// these are bad.
func TestAnswersAloneTeachNothing(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	teachGiven(t, db, 45)
	facts := routed(44, 200, time.Minute)
	for _, f := range facts {
		f.Implicit = event.ImplicitRefused
	}
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	if got := join(t, db, later().Add(verdict.ImplicitWait), 30); got["learned"] != 4 || got["kept"] != 196 {
		t.Errorf("beside 45 given ones they become %v", got)
	}
}

// asked are facts of one user who asks at some times after the first, in
// seconds.
func asked(seed uint64, user string, seconds ...int) []*event.CompletionRecorded {
	r := rand.New(rand.NewPCG(seed, 9))
	facts := routed(seed, len(seconds), time.Minute)
	for i, f := range facts {
		f.ID = eventtest.ID(r, now.Add(time.Duration(seconds[i])*time.Second))
		f.At, f.UserID, f.Features = event.TimeOf(f.ID), user, []byte("the same words")
	}
	return facts
}

// A question that its user asks again at once says something of the answer,
// unless it only looks the same.
func TestWhatIsAskedAgainIsNoticed(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	teachGiven(t, db, 50)
	thrice := asked(1, "thrice", 0, 30, 60)
	late := asked(2, "late", 0, 61)
	cached := asked(3, "cached", 0, 30)
	cached[1].Cache, cached[1].CacheMatch, cached[1].Features = event.CacheRedis, "exact", nil
	longer := asked(4, "longer", 0, 30) // "go on", behind a longer conversation
	longer[1].Candidates = []event.Candidate{{Model: "small", Prior: .6, CostNanos: 7, Probability: .8}, {Model: "large", Prior: .9, Probability: .2}}
	failed := asked(5, "failed", 0, 30)
	failed[0].Status, failed[0].ErrorKind = event.StatusError, "timeout"
	nobody := asked(6, "", 0, 30)
	another := asked(7, "another", 0, 30)
	another[1].Features = []byte("other words")
	elsewhere := asked(8, "elsewhere", 0, 30)
	elsewhere[1].Project = "other"
	edge := asked(9, "edge", 100, 130) // across the end of the first stretch
	for _, facts := range [][]*event.CompletionRecorded{thrice, late, cached, longer, failed, nobody, another, elsewhere, edge} {
		if _, err := db.Persist(t.Context(), facts); err != nil {
			t.Fatal(err)
		}
	}
	at := now.Add(time.Hour)
	from, steps := now.Add(-time.Minute), 0
	for {
		until, err := db.NoteRegenerated(t.Context(), from, at, 3*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if steps++; !until.After(from) {
			break
		}
		from = until
	}
	if steps < 15 || from.After(at.Add(-verdict.ImplicitWait)) {
		t.Errorf("%d steps, up to %s", steps, from)
	}
	if until, err := db.NoteRegenerated(t.Context(), now.Add(-time.Minute), at, time.Hour); err != nil || until.Before(now.Add(48*time.Minute)) {
		t.Errorf("again, it ends at %s: %v", until, err)
	}
	for name, c := range map[string]struct {
		facts []*event.CompletionRecorded
		want  string
	}{
		"thrice": {thrice, "regenerated waiting|regenerated waiting|"},
		"late":   {late, "|"}, "cached": {cached, "|"}, "longer": {longer, "|"}, "failed": {failed, "|"},
		"nobody": {nobody, "|"}, "another": {another, "|"}, "elsewhere": {elsewhere, "|"},
		"edge": {edge, "regenerated waiting|"},
	} {
		var ids []uuid.UUID
		for _, f := range c.facts {
			ids = append(ids, f.ID)
		}
		if got := strings.Join(becameOf(t, db, ids...), "|"); got != c.want {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
	}
	if got := join(t, db, later(), 10); got["learned"] != 3 || len(got) != 1 {
		t.Errorf("they become %v", got)
	}
	for _, l := range lessons(t, db)[50:] {
		if lesson, err := learning.DecodeLesson(l.Lesson); err != nil || lesson.Verdict.Quality != verdict.RegeneratedQuality {
			t.Errorf("lesson %d: %v", l.N, err)
		}
	}
}

// Each answer is looked at once, although by statistics from before there is
// none in that time.
func TestNoticingLooksOnce(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	if err := db.EnsureDays(t.Context(), now, 1); err != nil {
		t.Fatal(err)
	}
	persist := func(facts []*event.CompletionRecorded) {
		t.Helper()
		for i, f := range facts {
			f.UserID, f.Features = fmt.Sprint("user ", i), []byte("the same words")
		}
		if _, err := db.Persist(t.Context(), facts); err != nil {
			t.Fatal(err)
		}
	}
	persist(routed(1, 1000, time.Hour))
	if _, err := conn.Exec(t.Context(), `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	const n = 2000
	lately := make([]int, n+100) // seconds after the others
	for i := range lately {
		lately[i] = 60 + i%60 + i/n*200 // some when the stretch is over
	}
	persist(asked(2, "", lately...))
	db.Close() // which makes its connections tell what they did
	read := func(rows, scans int) (looked, scanned int) {
		t.Helper()
		for inserted := -1; inserted < rows || scanned < scans; {
			if err := conn.QueryRow(t.Context(), `SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), sum(idx_scan + seq_scan), sum(n_tup_ins)
				FROM pg_stat_user_tables WHERE starts_with(relname, 'completions') OR starts_with(relname, 'features')`).Scan(&looked, &scanned, &inserted); err != nil {
				t.Fatal(err)
			}
		}
		return looked, scanned
	}
	before, scanned := read(2*(1000+len(lately)), 0)
	db = open(t, url)
	if until, err := db.NoteRegenerated(t.Context(), now.Add(time.Minute), now.Add(time.Hour), 2*time.Minute); err != nil || until.Before(now.Add(2*time.Minute)) {
		t.Fatalf("it ended at %s: %v", until, err)
	}
	db.Close()
	if looked, _ := read(0, scanned+2); looked-before < 2*n || looked-before > 4*n {
		t.Errorf("for %d answers %d rows were looked at", n, looked-before)
	}
}

// It goes no further than all is stored, and verdicts have had their time.
func TestNoticingWaits(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	at := time.Now()
	note := func() time.Time {
		t.Helper()
		until, err := db.NoteRegenerated(t.Context(), at.Add(-time.Hour), at, 2*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return until
	}
	if got := note(); !got.Equal(at.Add(-11*time.Minute)) && got.After(at.Add(-verdict.ImplicitWait)) {
		t.Errorf("without a journal it ends %s ago", at.Sub(got))
	}
	hear(t, db, event.Heartbeat{Journal: "journal", At: at, RecordedUntil: at.Add(-5 * time.Minute), Seqs: map[string]int64{}})
	if got := note(); at.Sub(got).Round(time.Second) != 6*time.Minute {
		t.Errorf("with what was stored five minutes ago it ends %s ago", at.Sub(got))
	}
	hear(t, db, event.Heartbeat{Journal: "journal", At: at, RecordedUntil: at, Seqs: map[string]int64{"completions/0": 1}})
	if got := note(); !got.Equal(at.Add(-time.Hour)) {
		t.Errorf("while something is not stored it ends %s ago", at.Sub(got))
	}
}
