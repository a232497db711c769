package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

func client() openai.Client {
	return openai.NewClient(option.WithBaseURL(stack.busu+"/v1"), option.WithAPIKey("unused"), option.WithMaxRetries(0))
}

func question(model string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is the capital of France?")}}
}

func TestGoChat(t *testing.T) {
	t.Parallel()
	c := client()
	got, err := c.Chat.Completions.New(t.Context(), question("auto"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Choices) != 1 || got.Choices[0].Message.Content == "" || got.Choices[0].FinishReason != "stop" || got.Usage.TotalTokens == 0 ||
		got.Usage.JSON.ExtraFields["cost_usd"].Raw() == "" {
		t.Errorf("%s", got.RawJSON())
	}
}

func TestGoStream(t *testing.T) {
	t.Parallel()
	c := client()
	stream := c.Chat.Completions.NewStreaming(t.Context(), question("auto"))
	var whole openai.ChatCompletionAccumulator
	for stream.Next() {
		if !whole.AddChunk(stream.Current()) {
			t.Fatalf("does not fit: %s", stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil || len(whole.Choices) != 1 || whole.Choices[0].Message.Content == "" || whole.Choices[0].FinishReason != "stop" {
		t.Errorf("%v, %+v", err, whole)
	}
}

func TestGoTools(t *testing.T) {
	t.Parallel()
	c := client()
	r := question("auto")
	r.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: "get_weather", Parameters: shared.FunctionParameters{"type": "object",
			"properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}}})}
	r.ToolChoice = openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("required")}
	got, err := c.Chat.Completions.New(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	calls := got.Choices[0].Message.ToolCalls
	var args struct{ City *string }
	if len(calls) != 1 || calls[0].Function.Name != "get_weather" || json.Unmarshal([]byte(calls[0].Function.Arguments), &args) != nil || args.City == nil {
		t.Errorf("%s", got.RawJSON())
	}
}

func TestGoStructuredOutput(t *testing.T) {
	t.Parallel()
	c := client()
	r := question("large")
	r.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "city", Strict: openai.Bool(true), Schema: map[string]any{
			"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}}, "required": []string{"name"}}}}}
	got, err := c.Chat.Completions.New(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var city struct{ Name *string }
	if err := json.Unmarshal([]byte(got.Choices[0].Message.Content), &city); err != nil || city.Name == nil {
		t.Errorf("%v in %s", err, got.RawJSON())
	}
}

func TestGoErrorsAndRetries(t *testing.T) {
	t.Parallel()
	c := client()
	_, err := c.Chat.Completions.New(t.Context(), question("gpt-none"))
	if e, ok := errors.AsType[*openai.Error](err); !ok || e.StatusCode != http.StatusNotFound || e.Code != "model_not_found" {
		t.Errorf("%v", err)
	}
	_, err = c.Chat.Completions.New(t.Context(), question("refuses"))
	if e, ok := errors.AsType[*openai.Error](err); !ok || e.StatusCode != http.StatusBadRequest || !strings.Contains(e.Message, "too salty") {
		t.Errorf("%v", err)
	}
	r := question("flaky")
	r.User = openai.String("go")
	got, err := c.Chat.Completions.New(t.Context(), r, option.WithMaxRetries(3))
	if err != nil || got.Choices[0].Message.Content != "third time lucky" {
		t.Errorf("%v, %+v", err, got)
	}
}

func TestGoAbort(t *testing.T) {
	t.Parallel()
	c := client()
	ctx, abort := context.WithTimeout(t.Context(), 10*time.Second)
	defer abort()
	stream := c.Chat.Completions.NewStreaming(ctx, question("endless"))
	if !stream.Next() {
		t.Fatal(stream.Err())
	}
	abort()
	for stream.Next() {
	}
	if err := stream.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
