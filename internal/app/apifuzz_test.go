package app_test

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/apifuzz"
	"github.com/busuhq/busu/internal/contract"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/schema"
)

// make fuzz-api sends more of them, and others.
var (
	fuzzRequests = flag.Int("fuzz-requests", 3000, "how many requests TestAPIUnderFuzz sends")
	fuzzSeed     = flag.Uint64("fuzz-seed", 1, "what TestAPIUnderFuzz draws them from")
	fuzzReport   = flag.String("fuzz-report", "", "a file for what TestAPIUnderFuzz saw")
)

// fuzzed has something of everything that an operation needs, and answers at
// once.
const fuzzed = quick + `  - {id: embedding, provider: simulated, upstream: embedding, purpose: embedding, input_usd_per_mtok: 0.02, output_usd_per_mtok: 0}
routing: {strategy: hybrid, baseline_model: large}
`

// TestAPIUnderFuzz: whatever is sent, by whomever, is answered as documented and
// is never our mistake; the process lives, nothing of it is left running, and
// the books agree.
func TestAPIUnderFuzz(t *testing.T) {
	t.Parallel()
	doc, err := contract.Read(schema.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"DATABASE_URL=" + storetest.Postgres(t), "REDIS_URL=" + storetest.Redis(t), "BUSU_STATE_DIR=" + stateDir(t), "BUSU_ADMIN_KEY=" + adminKey,
		"BUSU_CONFIG=" + configFile(t, fuzzed)}
	p := start(t, nil, env, "busu", "up")
	to := apifuzz.Target{Addr: strings.TrimPrefix(p.base, "http://"), AdminKey: adminKey, Document: doc, Models: []string{"small", "medium", "large"}}
	run := func(o apifuzz.Options) *apifuzz.Report {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		o.AtOnce, o.Patience = 8, time.Minute
		report, err := apifuzz.Run(ctx, to, o)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	run(apifuzz.Options{Seed: *fuzzSeed + 1, Requests: 200}) // opens what stays open: pools, learning, feeds
	before := p.metric("go_goroutines")
	report := run(apifuzz.Options{Seed: *fuzzSeed, Requests: *fuzzRequests})
	writeReport(t, report)
	for _, f := range report.Findings {
		t.Errorf("%s: %s (%d times)\nsent: %s\ncame: %s", f.Route, f.Fault, f.Times, f.Request, f.Answer)
	}
	if unreached := report.Unreached(); len(unreached) > 12 {
		t.Errorf("%d routes never answered with success, so that little of them was tried: %v", len(unreached), unreached)
	}
	p.until("what requests have started has ended", func() bool { return p.metric("go_goroutines") < before+20 })
	busu(t, env, "reconcile", "--wait", "60s") // or it ends with 1
	p.stop()
	if said := p.stdout.String() + p.stderr.String(); strings.Contains(said, adminKey) {
		t.Error("the admin key is in the log")
	}
}

func writeReport(t *testing.T, report *apifuzz.Report) {
	t.Helper()
	if *fuzzReport == "" {
		return
	}
	file, err := os.Create(*fuzzReport)
	if err == nil {
		defer file.Close()
		err = report.Write(file)
	}
	if err != nil {
		t.Fatal(err)
	}
}
