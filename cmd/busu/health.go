package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/busuhq/busu/internal/config"
)

type healthCommand struct {
	URL      string `help:"The process to ask; by default the one at BUSU_ADDR." placeholder:"URL"`
	Degraded bool   `help:"Ready is, too, who answers without a store." xor:"question"`
	Alive    bool   `help:"Ask whether it lives, which it does without stores and while it stops." xor:"question"`
}

func (healthCommand) Help() string {
	return `Prints what /readyz says, and fails when the process is not ready: for health
checks in images that hold nothing else. With --alive it asks /healthz, for who
starts a process again that does not answer. Over TLS a process on this machine may
show what BUSU_TLS_CERT names, whatever it is called; BUSU_CA names whom to
trust elsewhere.

Example:

  busu health
  busu health --url http://127.0.0.1:8001`
}

func (c healthCommand) Run(ctx context.Context) error {
	// Who asks opens nothing: beside a worker, which may listen anywhere without an
	// admin key, there need not be one.
	cfg, err := config.FromEnvironment(config.Worker)
	if err != nil {
		return err
	}
	cfg.Addr = cmp.Or(os.Getenv("BUSU_ADDR"), config.DefaultAddr)
	base, client, err := callerOf(cfg, c.URL)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+c.path(), nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return unasked(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return err
	}
	fmt.Printf("%s", body)
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("not %s: %s answered %s", c.asked(), base, answer.Status)
	}
	return nil
}

func (c healthCommand) path() string {
	switch {
	case c.Alive:
		return "/healthz"
	case c.Degraded:
		return "/readyz?degraded=allowed"
	}
	return "/readyz"
}

// asked is what the process was asked whether it is.
func (c healthCommand) asked() string {
	if c.Alive {
		return "well"
	}
	return "ready"
}
