// Package admin is what operators look at in a running process, on a listener
// of its own: profiles, Go's own figures, and how much is logged.
//
// A profile of the heap can hold prompts. So without a key it answers on this
// machine only, and no page of a browser can read it.
package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"runtime"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler serves profiles under /debug/pprof/, all that Go's runtime measures
// at /metrics/runtime, and the level at /log/level. key is asked for unless it
// is "": as a bearer token, or as the password that go tool pprof sends for
// http://admin:KEY@host.
func Handler(key string, level *Level) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.Handle("GET /debug/pprof/mutex", sampled(func(on bool) { runtime.SetMutexProfileFraction(rate(on, mutexFraction)) }))
	mux.Handle("GET /debug/pprof/block", sampled(func(on bool) { runtime.SetBlockProfileRate(rate(on, blockRate)) }))
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("GET /metrics/runtime", runtimeMetrics())
	mux.HandleFunc("GET /log/level", level.get)
	mux.HandleFunc("PUT /log/level", level.put)
	return guarded(key, mux)
}

// How much is sampled of waits, for those who ask for a profile of them.
const (
	mutexFraction = 10     // one in so many
	blockRate     = 10_000 // nanoseconds waited, for each
)

func rate(on bool, rate int) int {
	if on {
		return rate
	}
	return 0
}

// sampled samples waits only while somebody collects them (?seconds=10): it is
// not free.
func sampled(set func(on bool)) http.Handler {
	var mu sync.Mutex
	collecting := 0
	count := func(change int) {
		mu.Lock()
		defer mu.Unlock()
		collecting += change
		set(collecting > 0)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count(1)
		defer count(-1)
		pprof.Index(w, r)
	})
}

// runtimeMetrics are all of package runtime/metrics: beside what /metrics has
// of it, how long goroutines wait to run, how long the collector stops them,
// locks, and sizes.
func runtimeMetrics() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsAll)))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

func guarded(key string, next http.Handler) http.Handler {
	foreign := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case foreign.Check(r) != nil:
			http.Error(w, "other websites may not ask", http.StatusForbidden)
		case key == "" && !isLoopback(r.Host):
			http.Error(w, "without BUSU_ADMIN_KEY only this machine may ask, by an address such as 127.0.0.1", http.StatusForbidden)
		case key != "" && !same(key, presented(r)):
			w.Header().Set("WWW-Authenticate", `Basic realm="busu"`)
			http.Error(w, "send BUSU_ADMIN_KEY as a bearer token, or as the password of any user", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// presented is the key that came with a request.
func presented(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// same compares in a time that tells nothing, not even the length.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// isLoopback reports whether the host that was asked for is this machine's own
// name for itself: a website whose name is made to point here has another.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// Level is how much is logged. It can be changed while the process runs, and
// goes back to what is configured.
type Level struct {
	slog.LevelVar
	configured slog.Level
}

// NewLevel begins with what is configured.
func NewLevel(configured slog.Level) *Level {
	l := &Level{configured: configured}
	l.Set(configured)
	return l
}

// Reset goes back to what is configured.
func (l *Level) Reset() { l.Set(l.configured) }

// said is the level as it is asked for and told.
type said struct {
	Level      string `json:"level"`
	Configured string `json:"configured,omitempty"`
}

func (l *Level) get(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(said{Level: name(l.Level()), Configured: name(l.configured)})
}

// mostBody is far above what a level takes, in bytes.
const mostBody = 1 << 10

func (l *Level) put(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	var wish said
	if err == nil {
		err = json.Unmarshal(body, &wish)
	}
	level, ok := levels[strings.ToLower(wish.Level)]
	if err != nil || !ok {
		http.Error(w, fmt.Sprintf("send {\"level\": \"debug\"}; it can be debug, info, warn or error, not %q", wish.Level), http.StatusUnprocessableEntity)
		return
	}
	l.Set(level)
	l.get(w, r)
}

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

func name(l slog.Level) string { return strings.ToLower(l.String()) }
