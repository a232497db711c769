package simulated

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

func toolbox() []llm.Tool {
	return []llm.Tool{
		{Name: "get_weather", Description: "The weather in a city", Parameters: []byte(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`)},
		{Name: "sendMail", Description: "Writes to someone"},
	}
}

func TestWhenToolsAreCalled(t *testing.T) {
	t.Parallel()
	const plain, named = "Is it cold in Oslo?", "Use get_weather for Oslo."
	both := "Look at get_weather, then send mail about it."
	for name, c := range map[string]struct {
		asked  string
		choice llm.ToolChoice
		serial bool
		want   string
	}{
		"auto, not named":          {asked: plain},
		"auto, named":              {asked: named, want: "get_weather"},
		"auto in words, named":     {asked: "GET WEATHER: Oslo", choice: llm.ToolChoice{Mode: llm.ToolsAuto}, want: "get_weather"},
		"part of a word":           {asked: "Forget weathermen."},
		"two":                      {asked: both, want: "get_weather sendMail"},
		"two, one at a time":       {asked: both, serial: true, want: "get_weather"},
		"none":                     {asked: named, choice: llm.ToolChoice{Mode: llm.ToolsNone}},
		"required, named in text":  {asked: "sendMail to me", choice: llm.ToolChoice{Mode: llm.ToolsRequired}, want: "sendMail"},
		"required, like one":       {asked: "Write to someone", choice: llm.ToolChoice{Mode: llm.ToolsRequired}, want: "sendMail"},
		"required, like none":      {asked: "Hm.", choice: llm.ToolChoice{Mode: llm.ToolsRequired}, want: "get_weather"},
		"named by choice":          {asked: named, choice: llm.ToolChoice{Mode: llm.ToolsNamed, Name: "sendMail"}, want: "sendMail"},
		"named by choice and text": {asked: both, choice: llm.ToolChoice{Mode: llm.ToolsNamed, Name: "sendMail"}, want: "sendMail"},
	} {
		r := ask(Medium, c.asked)
		r.Tools, r.ToolChoice, r.SerialTools = toolbox(), c.choice, c.serial
		got, err := New(Options{}).Complete(t.Context(), r)
		if err != nil {
			t.Fatal(name, err)
		}
		var called []string
		ids := map[string]bool{}
		for _, call := range got.ToolCalls {
			called = append(called, call.Name)
			ids[call.ID] = true
			if !json.Valid([]byte(call.Arguments)) || call.Arguments[0] != '{' {
				t.Errorf("%s: arguments %s", name, call.Arguments)
			}
		}
		if strings.Join(called, " ") != c.want || (got.Text == "") != (c.want != "") || len(ids) != len(called) {
			t.Errorf("%s: %+v", name, got)
		}
		if (got.FinishReason == llm.FinishToolCalls) != (c.want != "") {
			t.Errorf("%s: finish reason %s", name, got.FinishReason)
		}
	}
}

func TestAToolsResultIsAnsweredWithText(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	r := ask(Large, "Use get_weather for Oslo.")
	r.Tools = toolbox()
	call, err := p.Complete(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	before := call.Usage.In
	r.Messages = append(r.Messages,
		llm.Message{Role: llm.RoleAssistant, ToolCalls: call.ToolCalls},
		llm.Message{Role: llm.RoleTool, ToolCallID: call.ToolCalls[0].ID, Content: "cold, 3 degrees"})
	got, err := p.Complete(t.Context(), r)
	if err != nil || len(got.ToolCalls) != 0 || got.FinishReason != llm.FinishStop || got.Usage.In <= before+8 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range 40 {
		r.Model, r.Messages[0].Content = Small, fmt.Sprintf("Prove by get_weather that %d is the least number without a counterexample.", i)
		answer, err := p.Complete(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if good := mustTruth(t, p, r.Messages[0].Content, Small).Good; good != strings.Contains(answer.Text, "cold, 3 degrees") {
			t.Errorf("good is %v: %s", good, answer.Text)
		}
	}
	r.ToolChoice.Mode = llm.ToolsRequired
	if again, err := p.Complete(t.Context(), r); err != nil || len(again.ToolCalls) != 1 || again.ToolCalls[0].ID == call.ToolCalls[0].ID {
		t.Errorf("a demand is met again, by another call: %+v, %v", again, err)
	}
}

func TestImpossibleToolChoicesAreRejected(t *testing.T) {
	t.Parallel()
	for _, choice := range []llm.ToolChoice{{Mode: llm.ToolsRequired}, {Mode: llm.ToolsNamed, Name: "get_weather"}} {
		r := ask(Small, "hello")
		r.ToolChoice = choice
		if _, err := New(Options{}).Complete(t.Context(), r); kindOfError(err) != llm.ErrorRejected {
			t.Errorf("%+v: %v", choice, err)
		}
	}
}

func TestPromptsCostWhatIsInThem(t *testing.T) {
	t.Parallel()
	plain := ask(Small, "hello")
	for name, with := range map[string]func(*llm.Request){
		"tools":  func(r *llm.Request) { r.Tools = toolbox() },
		"schema": func(r *llm.Request) { r.ResponseFormat = llm.ResponseFormat{Schema: []byte(`{"type":"object"}`)} },
		"image": func(r *llm.Request) {
			r.Messages = []llm.Message{{Role: llm.RoleUser, Content: "hello", Parts: []llm.Part{{Kind: llm.PartText, Text: "hello"}, {Kind: llm.PartImage, URL: "https://example.com/a.png"}}}}
		},
		"calls": func(r *llm.Request) {
			r.Messages = []llm.Message{{Role: llm.RoleUser, Content: "hello", ToolCalls: []llm.ToolCall{{Name: "a", Arguments: "{}"}}}}
		},
	} {
		r := plain
		with(&r)
		if promptTokens(r) <= promptTokens(plain) {
			t.Errorf("%s is free", name)
		}
	}
}
