// Command go asks busu, and says what the answer was worth, with nothing but
// the standard library.
//
//	BUSU_URL=http://127.0.0.1:8000 go run ./examples/go
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	b := busu{url: cmp.Or(os.Getenv("BUSU_URL"), "http://127.0.0.1:8000"), key: os.Getenv("BUSU_KEY")}
	if err := run(ctx, b, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, b busu, out io.Writer) error {
	var answer struct {
		RequestID string  `json:"request_id"`
		Response  string  `json:"response"`
		Model     string  `json:"model"`
		Cost      float64 `json:"cost_usd"`
	}
	// The user is who asks: without one nothing can be proven.
	question := map[string]any{"prompt": "What is the capital of France?", "user_id": "ada"}
	if err := b.post(ctx, "/complete", question, &answer); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n%s answered for %v USD\n", answer.Response, answer.Model, answer.Cost)

	// What your user says of it; busu learns from that. In your product it comes
	// minutes or days later: keep the id.
	var feedback struct {
		Status string `json:"status"`
	}
	if err := b.post(ctx, "/feedback", map[string]any{"request_id": answer.RequestID, "rating": 5, "source": "user"}, &feedback); err != nil {
		return err
	}
	fmt.Fprintln(out, "feedback", feedback.Status)
	return nil
}

// busu is where it answers, and with which key; empty where none is needed.
type busu struct{ url, key string }

func (b busu) post(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if b.key != "" {
		request.Header.Set("Authorization", "Bearer "+b.key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%w: does busu run at %s?", err, b.url)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("POST %s: %s: %s", path, response.Status, answer)
	}
	return json.Unmarshal(answer, into)
}
