package app

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestReferenceCanBeMade: what is embedded is read no sooner than somebody asks.
func TestReferenceCanBeMade(t *testing.T) {
	t.Parallel()
	openAPI, docs := reference()
	if !json.Valid(openAPI()) || !bytes.Contains(openAPI(), []byte(`"/v1/chat/completions"`)) {
		t.Errorf("the description of the routes is %d bytes: %.100s", len(openAPI()), openAPI())
	}
	if page := docs(); !bytes.Contains(page, []byte("<html")) || !bytes.Contains(page, []byte("/v1/chat/completions")) {
		t.Errorf("the page is %d bytes: %.100s", len(page), page)
	}
}
