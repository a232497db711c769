package simulated

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/busuhq/busu/internal/llm"
)

// trial is what a judge is shown: a conversation, and two answers to its end.
type trial struct {
	Conversation []struct {
		Role string `json:"role"`
		Text string `json:"text"`
	} `json:"conversation"`
	A *string `json:"answer_a"`
	B *string `json:"answer_b"`
}

// trialIn reads what is asked as a trial, if it is one.
func trialIn(asked string) (c trial, ok bool) {
	if !strings.HasPrefix(asked, `{"conversation":`) { // as for almost all
		return trial{}, false
	}
	d := json.NewDecoder(bytes.NewReader([]byte(asked)))
	d.DisallowUnknownFields()
	return c, d.Decode(&c) == nil && c.A != nil && c.B != nil
}

// judge rates both answers by the truth about them, whoever is asked for it: a
// simulated answer says whose it is. One of another origin is half right.
func (p *Provider) judge(c trial) string {
	asked := ""
	for _, turn := range c.Conversation {
		if turn.Role == llm.RoleUser {
			asked = turn.Text
		}
	}
	return fmt.Sprintf(`{"a": %.3f, "b": %.3f}`, p.worth(asked, *c.A), p.worth(asked, *c.B))
}

func (p *Provider) worth(asked, answer string) float64 {
	_, rest, _ := strings.Cut(answer, "[simulated model ")
	name, _, _ := strings.Cut(rest, "]")
	if v, ok := p.Truth(asked, name); ok {
		return v.Score
	}
	return 0.5
}
