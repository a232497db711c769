package apifuzz

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"github.com/busuhq/busu/internal/contract"
)

// pool holds what busu gave out, so that requests can ask for what there is.
type pool struct {
	models []string

	mu     sync.Mutex
	values map[string][]string // by the first part of a path, and "next_cursor"
}

// mostKept of one kind; later ones take the place of earlier ones.
const mostKept = 64

func newPool(models []string) *pool { return &pool{models: models, values: map[string][]string{}} }

// learn keeps the ids of an answer.
func (p *pool) learn(path string, got answer) {
	if got.Status/100 != 2 || got.Header.Get("Content-Type") != "application/json" {
		return
	}
	var value any
	if json.Unmarshal(got.Body, &value) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.collect(kindOf(path), value)
}

// kindOf is the first part of a path.
func kindOf(path string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return kind
}

func (p *pool) collect(kind string, value any) {
	switch v := value.(type) {
	case []any:
		for _, one := range v[:min(len(v), 8)] {
			p.collect(kind, one)
		}
	case map[string]any:
		for name, member := range v {
			text, ok := member.(string)
			switch {
			case !ok:
				p.collect(kind, member)
			case name == "id" || name == "dead_id":
				p.keep(kind, text)
			case name == "request_id" || name == "experiment_id":
				p.keep(strings.TrimSuffix(name, "_id")+"s", text)
			case name == "next_cursor":
				p.keep(name, text)
			}
		}
	}
}

func (p *pool) keep(kind, text string) {
	kept := p.values[kind]
	if len(kept) < mostKept {
		p.values[kind] = append(kept, text)
		return
	}
	copy(kept, kept[1:])
	kept[mostKept-1] = text
}

// of gives what is known of a kind, or nil.
func (p *pool) of(kind string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.values[kind]...)
}

// answer is what came back.
type answer struct {
	contract.Answer
	hurry bool // the connection cannot be used again
}

// passing reports whether it says that a store did not answer in time, and when
// to ask again: on a machine that is too busy that is so, and soon over. What a
// request itself brings about stays.
func (a answer) passing() bool {
	return a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != ""
}
