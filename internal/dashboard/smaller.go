package dashboard

import (
	"path"
	"regexp"

	"github.com/tdewolff/minify/v2"
	"github.com/tdewolff/minify/v2/css"
	"github.com/tdewolff/minify/v2/js"
)

// indentation is of the code, and of the templates in it: htm reads none of it.
// No other text of a module lies on several lines of it.
var indentation = regexp.MustCompile(`\n\s+`)

// served gives a file as browsers get it: modules and style sheets without
// comments, indentation and the long names of what is local. What others wrote
// stays as they published it, and what cannot be read stays as it is.
func served(name string, source []byte) []byte {
	small := map[string]minify.MinifierFunc{".js": js.Minify, ".css": css.Minify}[path.Ext(name)]
	if small == nil {
		return source
	}
	m := minify.New()
	m.AddFunc(path.Ext(name), small)
	body, err := m.Bytes(path.Ext(name), indentation.ReplaceAll(source, []byte("\n")))
	if err != nil { // a mistake that tests of this package find
		return source
	}
	return body
}
