package usage_test

import (
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/usage"
)

// FuzzParseBy: what is read are dimensions, each once, that read the same again.
func FuzzParseBy(f *testing.F) {
	for _, seed := range []string{"", "day,model", "model,day", "day,day", ",", "day,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		by, err := usage.ParseBy(text)
		if err != nil {
			return
		}
		var names []string
		for _, d := range by {
			names = append(names, string(d))
		}
		if len(names) != strings.Count(text, ",")+min(len(text), 1) {
			t.Errorf("%q is read as %q", text, names)
		}
		if _, err := usage.ParseBy(strings.Join(names, ",")); err != nil {
			t.Errorf("%q became %q, which is refused: %v", text, names, err)
		}
	})
}
