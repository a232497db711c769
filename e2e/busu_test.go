package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/busuhq/busu/e2e/busu"
)

// What all tests talk to.
var stack struct {
	busu, vendor string // base URLs
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	v := httptest.NewServer(newVendor())
	defer v.Close()
	stack.vendor = v.URL
	b, err := busu.Start(context.Background(), busu.Options{Root: "..", Config: fmt.Sprintf(configuration, v.URL), Env: []string{"CLAUDE_KEY=unused-key"}})
	if err != nil {
		return 1, err
	}
	stack.busu = b.URL
	document, err := readContract(stack.busu)
	if err != nil {
		return 1, errors.Join(err, b.Stop())
	}
	between, err := newTee(strings.TrimPrefix(stack.busu, "http://"))
	if err != nil {
		return 1, errors.Join(err, b.Stop())
	}
	stack.busu = "http://" + between.Addr().String()
	code = m.Run()
	return code, errors.Join(document.judge(between.end()), b.Stop())
}

const configuration = `
providers:
  - {name: simulated, kind: simulated, speed: 0}
  - {name: vendor, kind: openai, base_url: "%[1]s/v1", retries: 0}
  - {name: claude, kind: anthropic, base_url: "%[1]s", api_key_env: CLAUDE_KEY, retries: 0}
models:
  - {id: small, provider: simulated, upstream: small, tier: simple, input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.6}
  - {id: medium, provider: simulated, upstream: medium, tier: moderate, input_usd_per_mtok: 0.8, output_usd_per_mtok: 4}
  - {id: large, provider: simulated, upstream: large, tier: complex, input_usd_per_mtok: 3, output_usd_per_mtok: 15}
  - {id: embedding, provider: simulated, upstream: embedding, purpose: embedding, input_usd_per_mtok: 0.02, output_usd_per_mtok: 0}
  - {id: mirror, provider: vendor, upstream: mirror-upstream, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
  - {id: refuses, provider: vendor, upstream: refuses, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
  - {id: flaky, provider: vendor, upstream: flaky, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
  - {id: breaks, provider: vendor, upstream: breaks, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
  - {id: endless, provider: vendor, upstream: endless, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
  - {id: claude-flaky, provider: claude, upstream: claude-flaky, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
  - {id: claude-endless, provider: claude, upstream: claude-endless, tier: complex, input_usd_per_mtok: 90, output_usd_per_mtok: 90}
routing: {strategy: complexity, baseline_model: large} # what is learned may choose a model that misbehaves
`
