package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/busuhq/busu/internal/config"
)

type healthCommand struct {
	URL      string `help:"The process to ask; by default the API at BUSU_ADDR." placeholder:"URL"`
	Degraded bool   `help:"Ready is, too, who answers without a store."`
}

func (healthCommand) Help() string {
	return `Prints what /readyz says, and fails when the process is not ready: for health
checks in images that hold nothing else. Over TLS a process on this machine may
show what BUSU_TLS_CERT names, whatever it is called; BUSU_CA names whom to
trust elsewhere.

Example:

  busu health
  busu health --url http://127.0.0.1:8001`
}

func (c healthCommand) Run(ctx context.Context) error {
	cfg, err := config.FromEnvironment(config.All)
	if err != nil {
		return err
	}
	base, client, err := callerOf(cfg, c.URL)
	if err != nil {
		return err
	}
	path := "/readyz"
	if c.Degraded {
		path += "?degraded=allowed"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
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
		return fmt.Errorf("not ready: %s answered %s", base, answer.Status)
	}
	return nil
}
