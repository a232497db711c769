package httpapi_test

import "testing"

func TestModels(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var list struct {
		Data []struct {
			ID      string `json:"id"`
			OwnedBy string `json:"owned_by"`
		} `json:"data"`
	}
	s.send(t, "GET", "/v1/models", "").want(t, 200).decode(t, &list)
	var ids []string
	for _, m := range list.Data {
		ids = append(ids, m.ID)
		s.send(t, "GET", "/v1/models/"+m.ID, "").want(t, 200)
	}
	if len(ids) != 6 || ids[0] != "auto" || ids[1] != "auto:complexity" || ids[2] != "small" {
		t.Errorf("lists %v", ids)
	}
}

// TestErrorsOnV1 come in the words of the vendor that the client is made for.
func TestErrorsOnV1(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var openAI struct {
		Error struct{ Message, Type, Param, Code string }
	}
	s.send(t, "GET", "/v1/models/gpt-9", "").want(t, 404).decode(t, &openAI)
	if e := openAI.Error; e.Type != "invalid_request_error" || e.Code != "model_not_found" || e.Param != "model" || e.Message == "" {
		t.Errorf("OpenAI's clients get %+v", e)
	}
	var anthropic struct {
		Type  string
		Error struct{ Type, Message string }
	}
	s.send(t, "GET", "/v1/models/gpt-9", "", "anthropic-version: 2023-06-01").want(t, 404).decode(t, &anthropic)
	if anthropic.Type != "error" || anthropic.Error.Type != "not_found_error" || anthropic.Error.Message == "" {
		t.Errorf("Anthropic's clients get %+v", anthropic)
	}
	s.send(t, "POST", "/v1/nope", "{}").want(t, 404)
}
