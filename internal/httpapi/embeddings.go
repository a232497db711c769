package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
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
		return document.Invalid("model", "is %q: name the model, vectors of different models cannot be compared", ask.Model)
	}
	answer, err := a.answerWhole(c, r)
	if err != nil {
		return err
	}
	return c.JSONBlob(http.StatusOK, priced(answer.Body, answer.Fact))
}

// readEmbeddings takes what busu has to know; the rest is the vendor's to
// judge.
func readEmbeddings(r *http.Request) (ask llm.Request, user string, err error) {
	body, err := readBody(r)
	if err != nil {
		return ask, "", err
	}
	doc, err := document.Parse(body)
	if err != nil {
		return ask, "", err
	}
	ask = llm.Request{Format: llm.FormatEmbeddings, Body: body}
	var f document.Faults
	f.Top(doc, func(name string, v gjson.Result) {
		switch name {
		case "model":
			ask.Model = f.Word(name, v, maxID)
		case "user":
			user = f.Text(name, v)
		case "input":
			ask.Messages = embeddingInputs(&f, v)
		}
	})
	if ask.Model == "" {
		f.Missing("model")
	}
	if ask.Messages == nil {
		f.Missing("input")
	}
	return ask, user, f.Err()
}

// embeddingInputs gives the texts that are embedded, to estimate by; tokens
// are for the vendor to count.
func embeddingInputs(f *document.Faults, v gjson.Result) (inputs []llm.Message) {
	switch {
	case v.Type == gjson.String:
		return []llm.Message{{Role: llm.RoleUser, Content: v.Str}}
	case v.IsArray():
		v.ForEach(func(_, entry gjson.Result) bool {
			inputs = append(inputs, llm.Message{Role: llm.RoleUser, Content: entry.String()})
			return true
		})
	}
	if inputs == nil {
		f.Add(document.CodeType, "input", "is %s, must be a text or a list that is not empty", document.Show(v))
	}
	return inputs
}
