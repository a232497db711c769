package dashboard

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/busuhq/busu/internal/apidocs"
	"github.com/busuhq/busu/schema"
)

// What browsers load is bounded, in bytes: all files that pages can load, those
// of /docs and what comes later included, as they are run and as they are sent;
// and what is run before the first page shows. Licences are served, too, for
// whoever asks for them; no page does.
const (
	maxRun    = 250_000
	maxSent   = 105_000
	maxAtOnce = 170_000
)

// docs is the page at /docs, as it is served.
var docs = sync.OnceValue(func() []byte {
	document, err := yaml.YAMLToJSON(schema.OpenAPI)
	if err != nil {
		panic(err)
	}
	page, err := apidocs.Page(document)
	if err != nil {
		panic(err)
	}
	return page
})

var handler = sync.OnceValue(func() http.Handler { return Handler(docs) })

func get(t *testing.T, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sources gives all embedded files by their path.
func sources(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(files, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(name)
		found[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var (
	htmlReference = regexp.MustCompile(`(?:src|href)="(static/[^"]+)"`)
	modulePreload = regexp.MustCompile(`<link rel="modulepreload"[^>]*>`)
	jsReference   = regexp.MustCompile(`(?:from ?|import ?|import\()"(\.{1,2}/[^"]+)"`)
	jsLater       = regexp.MustCompile(`import\("(\.{1,2}/[^"]+)"\)`) // when it is wanted
	cssReference  = regexp.MustCompile(`url\("?([^#")][^")]*)`)
)

// references lists the files that a file makes a browser load.
func references(name, source string) []string {
	patterns := map[string]*regexp.Regexp{".html": htmlReference, ".js": jsReference, ".mjs": jsReference, ".css": cssReference}
	pattern, ok := patterns[path.Ext(name)]
	if !ok {
		return nil
	}
	var found []string
	for _, m := range pattern.FindAllStringSubmatch(source, -1) {
		if path.Ext(name) == ".html" {
			found = append(found, m[1])
		} else {
			found = append(found, path.Join(path.Dir(name), m[1]))
		}
	}
	return found
}

// reached gives the files that a browser loads for a page, with the page and
// what is loaded when it is wanted.
func reached(t *testing.T, page string) map[string]bool {
	t.Helper()
	return loaded(t, page, references)
}

func loaded(t *testing.T, page string, references func(name, source string) []string) map[string]bool {
	t.Helper()
	all, found := sources(t), map[string]bool{}
	all["docs.html"] = string(docs())
	queue := []string{page}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if found[name] {
			continue
		}
		source, ok := all[name]
		if !ok {
			t.Errorf("%s is referenced but not embedded", name)
			continue
		}
		found[name] = true
		queue = append(queue, references(name, source)...)
	}
	return found
}

// The pages load every file there is, and none that is not.
func TestReferencedFilesAreTheEmbeddedOnes(t *testing.T) {
	t.Parallel()
	live, reference := reached(t, "static/index.html"), reached(t, "docs.html")
	for name := range sources(t) {
		if !live[name] && !reference[name] && path.Ext(name) != ".txt" {
			t.Errorf("%s is embedded and not used", name)
		}
	}
	if live["static/docs.css"] || reference["static/main.js"] {
		t.Error("a page loads what is the other one's")
	}
}

func TestFilesAreServed(t *testing.T) {
	t.Parallel()
	types := map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
		".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
		".txt": "text/plain; charset=utf-8"}
	for name, source := range sources(t) {
		answer := get(t, "/"+name)
		got, isOurs := body(t, answer.Body), path.Ext(name) == ".js" || path.Ext(name) == ".css"
		if answer.StatusCode != http.StatusOK || !isOurs && got != source || isOurs && len(got) >= len(source) {
			t.Errorf("%s: status %d and %d bytes of the file's %d", name, answer.StatusCode, len(got), len(source))
		}
		if !slices.Equal(references(name, got), references(name, source)) {
			t.Errorf("%s is served with other references than it has", name)
		}
		if got, want := answer.Header.Get("Content-Type"), types[path.Ext(name)]; got != want {
			t.Errorf("%s: content type %q, want %q", name, got, want)
		}
	}
	if got := body(t, get(t, "/").Body); got != sources(t)["static/index.html"] {
		t.Error("/ is not the page")
	}
	if answer := get(t, "/docs"); body(t, answer.Body) != string(docs()) || answer.Header.Get("Content-Type") != types[".html"] {
		t.Errorf("/docs is not the page, or is %s", answer.Header.Get("Content-Type"))
	}
}

// Templates lose the indentation of the code around them, and texts keep theirs.
func TestServedModulesSayTheSame(t *testing.T) {
	t.Parallel()
	const source = "export const a = (b) => [html`<p>\n    ${b}</p>`, `curl \\\\\\n  -d ${b}`];"
	got := string(served("some.js", []byte(source)))
	if !strings.Contains(got, "<p>\n${") || !regexp.MustCompile(`curl \\\\(\n|\\n)  -d `).MatchString(got) {
		t.Errorf("%s is served as %s", source, got)
	}
}

// A browser keeps files but asks whether they are still the ones.
func TestFilesAreRevalidated(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"", "gzip"} {
		first := get(t, "/static/main.js", "Accept-Encoding", encoding)
		etag := first.Header.Get("ETag")
		if first.Header.Get("Cache-Control") != "no-cache" || etag == "" {
			t.Fatalf("headers %v, want no-cache and an ETag", first.Header)
		}
		again := get(t, "/static/main.js", "Accept-Encoding", encoding, "If-None-Match", etag)
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("status %d with the ETag in hand, want 304", again.StatusCode)
		}
	}
}

func TestFilesAreCompressedForThoseWhoAskForIt(t *testing.T) {
	t.Parallel()
	for accepted, want := range map[string]string{
		"": "", "br": "", "gzip": "gzip", "br, gzip;q=0.5": "gzip", "gzip;q=0": "", "deflate, gzip; q=0.000": "",
	} {
		answer := get(t, "/static/app.css", "Accept-Encoding", accepted)
		if got := answer.Header.Get("Content-Encoding"); got != want {
			t.Errorf("%q is answered in %q, want %q", accepted, got, want)
		}
		if answer.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: the answer does not vary", accepted)
		}
	}
	unzipped, err := gzip.NewReader(get(t, "/static/app.css", "Accept-Encoding", "gzip").Body)
	if err != nil {
		t.Fatal(err)
	}
	if body(t, unzipped) != body(t, get(t, "/static/app.css").Body) {
		t.Error("the compressed file is another one")
	}
}

func TestUnknownFiles(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/static/", "/static", "/static/nothing.js", "/static/../dashboard.go", "/index.html", "/other"} {
		if got := get(t, target).StatusCode; got == http.StatusOK {
			t.Errorf("%s is served", target)
		}
	}
	if got := get(t, "/static/nothing.js").StatusCode; got != http.StatusNotFound {
		t.Errorf("an unknown file has status %d, want 404", got)
	}
}

// The content security policy forbids what these find, and nothing is loaded
// from elsewhere; addresses are relative, so that a path prefix does no harm.
func TestFilesKeepToThePolicy(t *testing.T) {
	t.Parallel()
	forbidden := map[string]*regexp.Regexp{
		"an inline script":       regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>\s*[^<\s]`),
		"a script without src":   regexp.MustCompile(`(?i)<script(?:\s+type="module")?\s*>`),
		"an inline style":        regexp.MustCompile(`(?i)\sstyle\s*=\s*["'{]|setAttribute\("style"`),
		"an event handler":       regexp.MustCompile(`(?i)\son[a-z]+\s*=\s*["']`),
		"an external address":    regexp.MustCompile(`(?i)(?:https?|wss?):?//`),
		"an import from outside": regexp.MustCompile(`(?m)@import|^(?:import|export)\b.*\bfrom\s*["'][^."'][^"']*["'];|import\(\s*["'][^."']`),
		"an absolute address":    regexp.MustCompile(`(?:src|href|action)="/|(?:get|post|patch|open|url|socketURL|useData)\(["'` + "`" + `]/`),
		"a node that is kept":    regexp.MustCompile(`(?m)^(?:export )?(?:const|let) \w+ = html`),
		"markup made of strings": regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function`),
	}
	for name, source := range sources(t) {
		if path.Dir(name) == "static/vendor" {
			continue // kept as it came, by its hash
		}
		source = strings.ReplaceAll(source, "http://www.w3.org/2000/svg", "") // a name, not an address
		for what, pattern := range forbidden {
			if found := pattern.FindString(source); found != "" {
				t.Errorf("%s has %s: %s", name, what, found)
			}
		}
		if path.Ext(name) == ".html" && strings.Contains(source, "<style") {
			t.Errorf("%s has a style element", name)
		}
	}
}

var asked = regexp.MustCompile("(?:useData|client\\.(?:get|post|patch|delete|open|socketURL|url))\\([^\"`)]*[\"`]([a-z0-9_/]+)")

// What modules ask the HTTP interface for is there.
func TestModulesAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	var document struct {
		Paths map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(schema.OpenAPI, &document); err != nil {
		t.Fatal(err)
	}
	places := 0
	for name, source := range sources(t) {
		if path.Dir(name) == "static/vendor" {
			continue
		}
		for _, m := range asked.FindAllStringSubmatch(source, -1) {
			places++
			begins := func(place string) bool { return strings.HasPrefix(place, "/"+m[1]) }
			if !slices.ContainsFunc(slices.Collect(maps.Keys(document.Paths)), begins) {
				t.Errorf("%s asks for %q, which no path of the interface begins with", name, m[1])
			}
		}
	}
	if places < 20 {
		t.Errorf("%d places are looked at, want at least 20: they are written otherwise now", places)
	}
}

func TestPagesAreSmall(t *testing.T) {
	t.Parallel()
	var run, sent, first int
	early, all := atOnce(t, "static/index.html"), reached(t, "static/index.html")
	maps.Copy(all, reached(t, "docs.html"))
	delete(all, "docs.html") // what it has to say is no file of ours
	for name := range all {
		size := len(body(t, get(t, "/"+name).Body))
		run += size
		sent += len(body(t, get(t, "/"+name, "Accept-Encoding", "gzip").Body))
		if early[name] {
			first += size
		}
	}
	t.Logf("%d files: %d bytes, %d before the first page shows, %d sent", len(all), run, first, sent)
	if run > maxRun || first > maxAtOnce || sent > maxSent {
		t.Errorf("allowed are %d bytes, %d before the first page shows, %d sent", maxRun, maxAtOnce, maxSent)
	}
}

// atOnce are the files that a page needs before it shows.
func atOnce(t *testing.T, page string) map[string]bool {
	t.Helper()
	return loaded(t, page, func(name, source string) []string {
		return references(name, jsLater.ReplaceAllString(modulePreload.ReplaceAllString(source, ""), ""))
	})
}

// What others wrote is as they published it: the hashes are those of the files
// in the packages preact 11.2.0 and htm 3.1.1. One word differs: browsers do not
// know the name "preact" without an import map, which the policy forbids.
func TestVendoredFilesAreThePublishedOnes(t *testing.T) {
	t.Parallel()
	all := sources(t)
	want := map[string]string{}
	for line := range strings.Lines(all["static/vendor/SHA256SUMS.txt"]) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		want[name] = sum
	}
	for name, source := range all {
		base := path.Base(name)
		if path.Dir(name) != "static/vendor" || base == "SHA256SUMS.txt" {
			continue
		}
		published := strings.Replace(source, `from"./preact.mjs"`, `from"preact"`, 1)
		sum := sha256.Sum256([]byte(published))
		if got := hex.EncodeToString(sum[:]); got != want[base] {
			t.Errorf("%s has the hash %s, published was %q", name, got, want[base])
		}
		delete(want, base)
	}
	for name := range want {
		t.Errorf("%s has a hash but is not embedded", name)
	}
	for _, library := range []string{"preact", "htm"} {
		if all["static/vendor/"+library+".LICENSE.txt"] == "" {
			t.Errorf("%s has no licence beside it", library)
		}
	}
}

// The head of the page names every module, so that a browser asks for all of
// them at once and not one layer after the other; but for those that come later.
func TestModulesArePreloaded(t *testing.T) {
	t.Parallel()
	page := sources(t)["static/index.html"]
	first := atOnce(t, "static/index.html")
	for name := range reached(t, "static/index.html") {
		isModule := path.Ext(name) == ".mjs" || path.Ext(name) == ".js" && path.Dir(name) != "static"
		if preloaded := strings.Contains(page, `<link rel="modulepreload" href="`+name+`">`); isModule && preloaded != first[name] {
			t.Errorf("%s is preloaded: %t, needed at once: %t", name, preloaded, first[name])
		}
	}
}
