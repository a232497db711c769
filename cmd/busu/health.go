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
	URL string `help:"The process to ask; by default the API at BUSU_ADDR." placeholder:"URL"`
}

func (healthCommand) Help() string {
	return `Prints what /readyz says, and fails when the process is not ready: for health
checks in images that hold nothing else.

Example:

  busu health
  busu health --url http://127.0.0.1:8001`
}

func (c healthCommand) Run(ctx context.Context) error {
	if c.URL == "" {
		cfg, err := config.FromEnvironment(config.All)
		if err != nil {
			return err
		}
		c.URL = "http://" + cfg.Addr
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return err
	}
	fmt.Printf("%s", body)
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s answered %s", c.URL, answer.Status)
	}
	return nil
}
