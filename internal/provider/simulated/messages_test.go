package simulated

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

func TestMessagesBodies(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	for name, want := range map[string]struct{ reason, sequence, blocks string }{
		"messages text":   {reason: "end_turn", blocks: "text"},
		"messages stop":   {reason: "stop_sequence", sequence: "model was", blocks: "text"},
		"messages length": {reason: "max_tokens", blocks: "text"},
		"messages call":   {reason: "tool_use", blocks: "tool_use"},
		"messages calls":  {reason: "tool_use", blocks: "tool_use tool_use"},
		"messages late":   {reason: "max_tokens", blocks: "text"},
		"messages cut":    {reason: "max_tokens", blocks: "tool_use"},
		"messages none":   {reason: "stop_sequence", sequence: "["},
	} {
		r, err := p.Complete(t.Context(), requests()[name])
		if err != nil {
			t.Fatal(name, err)
		}
		var got struct {
			ID, Type, Role, Model string
			Content               []struct {
				Type, Text, ID, Name string
				Input                map[string]any
			}
			StopReason   string  `json:"stop_reason"`
			StopSequence *string `json:"stop_sequence"`
			Usage        struct {
				In  int64 `json:"input_tokens"`
				Out int64 `json:"output_tokens"`
			}
		}
		if err := json.Unmarshal(r.Body, &got); err != nil {
			t.Fatalf("%s: %s: %v", name, r.Body, err)
		}
		var blocks []string
		var text, sequence string
		for i, b := range got.Content {
			blocks = append(blocks, b.Type)
			text += b.Text
			if b.Type == "tool_use" && (b.Name != r.ToolCalls[i].Name || b.ID != r.ToolCalls[i].ID || b.Input == nil || !strings.HasPrefix(b.ID, "toolu_")) {
				t.Errorf("%s: block %+v of %+v", name, b, r.ToolCalls)
			}
		}
		if got.StopSequence != nil {
			sequence = *got.StopSequence
		}
		if got.StopReason != want.reason || sequence != want.sequence || strings.Join(blocks, " ") != want.blocks || text != r.Text {
			t.Errorf("%s: %s", name, r.Body)
		}
		if got.Type != "message" || got.Role != "assistant" || got.Model != r.Model || !strings.HasPrefix(got.ID, "msg_") ||
			got.Usage.In != r.Usage.In || got.Usage.Out != r.Usage.Out {
			t.Errorf("%s: %s", name, r.Body)
		}
	}
}

// assemble does with a stream's events what Anthropic's clients do, and fails
// on an order that they would not take.
func assemble(t *testing.T, chunks []llm.Chunk) map[string]any {
	t.Helper()
	var message map[string]any
	var open map[string]any
	var partial string
	ended := false
	for _, c := range chunks {
		var e map[string]any
		if err := json.Unmarshal(c.Data, &e); err != nil || e["type"] != c.Event || ended {
			t.Fatalf("event %q: %s, %v", c.Event, c.Data, err)
		}
		blocks, _ := message["content"].([]any)
		if index, has := e["index"]; has && index != float64(len(blocks)) {
			t.Fatalf("index of %s, %d blocks are closed", c.Data, len(blocks))
		}
		switch c.Event {
		case "ping":
		case "message_start":
			message = e["message"].(map[string]any)
		case "content_block_start":
			if open != nil {
				t.Fatalf("%s while another is open", c.Data)
			}
			open, partial = e["content_block"].(map[string]any), ""
		case "content_block_delta":
			switch delta := e["delta"].(map[string]any); delta["type"] {
			case "text_delta":
				open["text"] = open["text"].(string) + delta["text"].(string)
			case "input_json_delta":
				partial += delta["partial_json"].(string)
			}
		case "content_block_stop":
			if input := any(nil); partial != "" && json.Unmarshal([]byte(partial), &input) == nil {
				open["input"] = input
			}
			message["content"], open = append(blocks, open), nil
		case "message_delta":
			for name, value := range e["delta"].(map[string]any) {
				message[name] = value
			}
			message["usage"].(map[string]any)["output_tokens"] = e["usage"].(map[string]any)["output_tokens"]
		case "message_stop":
			ended = open == nil
		default:
			t.Fatalf("event %q", c.Event)
		}
	}
	if !ended {
		t.Fatal("the stream does not end")
	}
	return message
}

func TestMessagesStreamsAddUpToTheBody(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	for name, r := range requests() {
		if r.Format != llm.FormatMessages {
			continue
		}
		chunks, _ := collected(t, p, r)
		whole, err := p.Complete(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]any
		if err := json.Unmarshal(whole.Body, &want); err != nil {
			t.Fatal(err)
		}
		if got := assemble(t, chunks); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\nwant %v", name, got, want)
		}
		if !chunks[0].Empty() || chunks[0].Usage == nil || chunks[0].Usage.In != whole.Usage.In {
			t.Errorf("%s: begins with %+v", name, chunks[0])
		}
	}
}
