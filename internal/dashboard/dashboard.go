// Package dashboard is the page at /, embedded: static files that talk to the
// HTTP interface like any other client. Nothing is loaded from elsewhere, and
// nobody builds anything: browsers run the modules under static/ as they lie
// there, without what is in them for people only. The files of the page at
// /docs, which is rendered, lie beside them.
//
// Addresses within the dashboard lie behind the # of /: /#/requests?status=error.
// /requests and /experiments are the API's own paths, so pages cannot have them;
// behind the # the server needs to know no page, any path prefix of a proxy
// works, and what is looked for stays out of its log. README.md says how the
// modules are laid out, and how to add a page.
package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed static
var files embed.FS

// Handler serves the page at /, docs as the page at /docs, and their files
// under /static/. It calls docs once, when somebody first reads that page.
func Handler(docs func() []byte) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /docs", newAsset(contentTypes[".html"], docs))
	for name, file := range load() {
		if name == "static/index.html" {
			mux.Handle("GET /{$}", file)
		}
		mux.Handle("GET /"+name, file)
	}
	return mux
}

// asset is one file, as it is served and compressed.
type asset struct {
	contentType string
	bodies      func() (plain, gzipped content)
}

// newAsset makes the bodies when they are first asked for: busu starts without
// that, and one that serves no pages does without it.
func newAsset(contentType string, body func() []byte) asset {
	return asset{contentType, sync.OnceValues(func() (plain, gzipped content) {
		b := body()
		return newContent(b), newContent(compress(b))
	})}
}

// content is a body and what tells it from others.
type content struct {
	body []byte
	etag string
}

func newContent(body []byte) content {
	sum := sha256.Sum256(body)
	return content{body, `"` + hex.EncodeToString(sum[:8]) + `"`}
}

// contentTypes are written down because those the standard library finds
// depend on the machine.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".mjs":  "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

// load reads all files by their path. What cannot be read of an embedded
// directory, or has no content type, is a mistake made at build time.
func load() map[string]asset {
	assets := map[string]asset{}
	err := fs.WalkDir(files, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		contentType, ok := contentTypes[path.Ext(name)]
		if !ok {
			panic("dashboard: no content type for " + name)
		}
		assets[name] = newAsset(contentType, func() []byte { return served(name, read(name)) })
		return nil
	})
	if err != nil {
		panic("dashboard: " + err.Error())
	}
	return assets
}

// read copies a file out of the binary, which is there.
func read(name string) []byte {
	body, err := files.ReadFile(name)
	if err != nil {
		panic("dashboard: " + err.Error())
	}
	return body
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // a level that there is
	_, _ = w.Write(body)                                  // a buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// ServeHTTP answers with the file. Browsers ask each time whether theirs is
// still the one, so that a new version of busu never meets old files.
func (a asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	c, gzipped := a.bodies()
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		c = gzipped
	}
	h.Set("Vary", "Accept-Encoding")
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", c.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(c.body))
}

func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, parameters, _ := strings.Cut(coding, ";")
		if strings.TrimSpace(name) == "gzip" {
			_, quality, given := strings.Cut(parameters, "=")
			weight, err := strconv.ParseFloat(strings.TrimSpace(quality), 64)
			return !given || err == nil && weight > 0
		}
	}
	return false
}
