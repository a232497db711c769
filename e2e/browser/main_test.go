package browser

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/busuhq/busu/e2e/busu"
	"github.com/busuhq/busu/e2e/chrome"
)

var (
	pictures = flag.String("pictures", "", "folder for pictures of every page and state; those of the documents go to docs/screenshots, too")
	hours    = flag.Int("hours", 0, "how long pages live whose memory is measured, in hours of theirs, each of three minutes of ours; 0 are some minutes of theirs")
	updates  = flag.Int("updates", 700, "how many live updates the page's memory is measured over; 3600 are those of an hour")
)

// What all tests share.
var (
	server  *busu.Busu
	browser *chrome.Browser
	gate    *gatekeeper
	axe     string // the source of axe-core
)

const configuration = `
providers:
  - {name: simulated, kind: simulated, speed: 4, failure_rate: 0.01}
models:
  - {id: small, provider: simulated, upstream: small, tier: simple, input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.6}
  - {id: medium, provider: simulated, upstream: medium, tier: moderate, input_usd_per_mtok: 0.8, output_usd_per_mtok: 4}
  - {id: large, provider: simulated, upstream: large, tier: complex, input_usd_per_mtok: 3, output_usd_per_mtok: 15}
routing: {holdout: 0.2, observation: 1s, default_experiment: "hybrid against complexity"}
`

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // fetching included
	defer cancel()
	if axe, err = fetchAxe(ctx); err != nil {
		return 1, err
	}
	program, err := chrome.Find(ctx, "../../.local/e2e/chromium")
	if err != nil {
		return 1, err
	}
	if browser, err = chrome.Start(ctx, program); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, browser.Close()) }()
	if server, err = busu.Start(ctx, busu.Options{Root: "../..", Config: configuration}); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	if gate, err = newGatekeeper(server.URL); err != nil {
		return 1, err
	}
	defer gate.Close()
	return m.Run(), nil
}

func fetchAxe(ctx context.Context) (string, error) {
	const source = "node_modules/axe-core/axe.min.js"
	if out, err := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error").CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	text, err := os.ReadFile(source)
	return string(text), err
}
