package experiment

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Page is Results as JSON, encoded once for all who read it.
type Page []byte

// Page encodes results.
func (r *Results) Page() (Page, error) {
	p, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode results of experiment %s: %w", r.ID, err)
	}
	return p, nil
}

// Results reads a page again.
func (p Page) Results() (r Results, err error) {
	if err := json.Unmarshal(p, &r); err != nil {
		return r, fmt.Errorf("read results: %w", err)
	}
	return r, nil
}

// Degraded says on the page, too, that something could not be read.
func (p Page) Degraded(by string) (Page, error) {
	r, err := p.Results()
	if err != nil || slices.Contains(r.Degraded, by) {
		return p, err
	}
	r.Degraded = append(r.Degraded, by)
	return r.Page()
}

// MarshalJSON implements json.Marshaler.
func (p Page) MarshalJSON() ([]byte, error) { return p, nil }
