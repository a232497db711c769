package browser

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// prefix is the path that pages have behind the gatekeeper, as behind a proxy
// that serves more than busu.
const prefix = "/under/here"

// gatekeeper stands before busu and lets pages and their files through, and
// what pages ask for while it is open. It knows nothing outside of the prefix.
type gatekeeper struct {
	*httptest.Server

	mu     sync.Mutex
	opened chan struct{} // closed while it is open
}

func newGatekeeper(target string) (*gatekeeper, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	g := &gatekeeper{opened: make(chan struct{})}
	close(g.opened)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // what a page's WebSocket says of where it comes from
	}, ErrorLog: log.New(io.Discard, "", 0)} // tabs that close leave requests behind
	g.Server = httptest.NewServer(http.StripPrefix(prefix, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/static/") {
			select {
			case <-g.now():
			case <-r.Context().Done():
				return
			}
		}
		proxy.ServeHTTP(w, r)
	})))
	return g, nil
}

func (g *gatekeeper) now() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opened
}

// hold keeps all answers back until open is called.
func (g *gatekeeper) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = make(chan struct{})
}

func (g *gatekeeper) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.opened)
}
