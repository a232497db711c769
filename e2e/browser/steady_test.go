package browser

import (
	_ "embed"
	"testing"
)

//go:embed vary.js
var vary string // gives pages other figures each time they ask, and nothing else that is new

// lively are the pages that change by themselves.
func lively() []page {
	return []page{pageNamed("live"), pageNamed("savings"), pageNamed("experiments"), pageNamed("experiment"),
		pageNamed("requests").with("?live=1"), pageNamed("models"), pageNamed("system"), pageNamed("keys")}
}

const (
	warmUp   = 20 // seconds of a page's time, in which it may still find its shape
	steadily = 60 // seconds of its time in which nothing moves
)

// measureSteady lets pages live while their figures gain digits and lose them:
// nothing moves, in none of them.
func measureSteady(t *testing.T) {
	for _, p := range lively() {
		t.Run(p.name, func(t *testing.T) {
			v := open(t, p, false, feed+fast+vary)
			v.await(t, `window.fed && `+settled+` && `+noBanner+` && !document.querySelector(".failure")`)
			v.live(t, warmUp)
			if moved := v.moved(t); len(moved) > 0 {
				t.Logf("while it comes: %q", moved)
			}
			if answered := v.live(t, steadily); answered < steadily/60 {
				t.Errorf("it asks for nothing again: %d answers in %d s", answered, steadily)
			}
			if moved := v.moved(t); len(moved) > 0 {
				t.Errorf("updates move %d things, such as %q", len(moved), moved[:min(len(moved), 12)])
			}
		})
	}
}
