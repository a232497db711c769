package httpapi

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
)

// embeddings passes a request for embeddings on to the model that it names.
func (a *API) embeddings(c echo.Context) error {
	ask, user, err := readEmbeddings(c.Request())
	if err != nil {
		return err
	}
	r, err := a.vendorRequest(c, ask, user)
	if err != nil {
		return err
	}
	if r.Model == "" {
		return invalid("model", "is %q: name the model, vectors of different models cannot be compared", ask.Model)
	}
	answer, err := a.Gateway.Complete(c.Request().Context(), r)
	if answer.Fact != nil {
		describe(c, answer.Fact)
	}
	if err != nil {
		return answerError(answer, err)
	}
	return c.JSONBlob(http.StatusOK, chat.WithCost(answer.Body, usageOf(answer.Fact), costOf(answer.Fact)))
}

// readEmbeddings takes what busu has to know; the rest is the vendor's to
// judge.
func readEmbeddings(r *http.Request) (ask llm.Request, user string, err error) {
	body, err := readBody(r)
	if err != nil {
		return ask, "", err
	}
	if err := checkJSON(body); err != nil {
		return ask, "", err
	}
	o, ok := parseObject(body, "", new(faults))
	if !ok {
		return ask, "", malformed("the body is not a JSON object")
	}
	o.require("model")
	o.require("input")
	ask = llm.Request{Format: llm.FormatEmbeddings, Body: body, Model: o.text("model", maxID)}
	user = o.text("user", maxID)
	input, _ := o.take("input")
	ask.Messages = embeddingInputs(o, input)
	return ask, user, o.faults.err()
}

// embeddingInputs gives the texts that are embedded, to estimate by; tokens
// are for the vendor to count.
func embeddingInputs(o *object, input json.RawMessage) []llm.Message {
	var one string
	if json.Unmarshal(input, &one) == nil {
		return []llm.Message{{Role: llm.RoleUser, Content: one}}
	}
	var many []json.RawMessage
	if json.Unmarshal(input, &many) != nil || len(many) == 0 {
		if len(input) > 0 {
			o.fail("input", "is %s, must be a text or a list that is not empty", show(input))
		}
		return nil
	}
	messages := make([]llm.Message, len(many))
	for i, raw := range many {
		text := ""
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		messages[i] = llm.Message{Role: llm.RoleUser, Content: text}
	}
	return messages
}
