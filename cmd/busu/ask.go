package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/busuhq/busu/internal/config"
)

// apiFlags say where busu answers.
type apiFlags struct {
	URL string `help:"Where busu is; by default BUSU_ADDR." placeholder:"URL"`
}

const askWithin = 30 * time.Second

// ask sends a request with the admin key and gives the body of a good answer.
func (f apiFlags) ask(ctx context.Context, method, path string, body any, accept string) ([]byte, error) {
	cfg, err := config.FromEnvironment(config.All)
	if err != nil {
		return nil, err
	}
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	base, client, err := callerOf(cfg, f.URL)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, base+path, sent)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", accept)
	if key := cfg.AdminKey.Reveal(); key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := client.Do(r)
	if err != nil {
		return nil, unasked(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = refusal(response.StatusCode, answer)
	}
	return answer, err
}

// printAnswer prints an answer as it came where raw is wanted, else what print
// makes of it.
func printAnswer[T any](answer []byte, raw bool, print func(*T) error) error {
	if raw {
		_, err := os.Stdout.Write(answer)
		return err
	}
	v := new(T)
	if err := json.Unmarshal(answer, v); err != nil {
		return err
	}
	return print(v)
}

// refusal is what a problem says.
func refusal(status int, body []byte) error {
	var p struct{ Detail string }
	if json.Unmarshal(body, &p) != nil || p.Detail == "" {
		return fmt.Errorf("busu answers %d: %.300s", status, body)
	}
	return fmt.Errorf("busu answers %d: %s", status, p.Detail)
}
