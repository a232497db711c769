// Package apidocs makes of an OpenAPI document a page that people can read:
// HTML that needs nothing from elsewhere, and no script to be complete.
//
// It shows all of the document or fails: what it does not know how to show is
// a mistake, to be mended here, and not something that a reader misses.
package apidocs

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
)

//go:embed page.html
var layout string

// Page renders an OpenAPI 3.1 document, which is given as JSON. Its addresses
// are relative to the folder that it is served from; there it finds the files
// static/tokens.css, app.css, docs.css, theme.js, docs.js and icon.svg. The
// error names everything that could not be shown.
func Page(document []byte) ([]byte, error) {
	v, err := parse(document)
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	root, ok := v.(object)
	if !ok {
		return nil, errors.New("the document is not an object")
	}
	r := &reader{root: root}
	view := r.page()
	if err := errors.Join(r.faults...); err != nil {
		return nil, err
	}
	t, err := template.New("page").Parse(layout)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, view); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
