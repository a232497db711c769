package app

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/busuhq/busu/internal/certificate"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/telemetry"
)

// listen takes callers, as many as may be connected.
func listen(cfg config.Config, log *slog.Logger) (*httpapi.Connections, error) {
	l, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (%w): stop what listens there, or choose another address with BUSU_ADDR=127.0.0.1:8010", cfg.Addr, rootCause(err))
	}
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) != nil {
		files.Cur = fewFiles
	}
	most := mostConnections(cfg.MaxConnections, files.Cur)
	if uint64(most) > files.Cur/2 {
		log.Warn("callers may take more than half of the files that may be open: raise the limit (ulimit -n), or lower BUSU_MAX_CONNECTIONS", "connections", most, "files", files.Cur)
	}
	return httpapi.Bound(l, most), nil
}

const (
	fewFiles = 1024 // where the system does not tell
	// manyCalls take, idle after a request each, 330 MB of memory, 670 over TLS and
	// 770 with HTTP/2: of 5,000, each took 20, 41 and 47 kB.
	manyCalls = 1 << 14
)

// mostConnections is how many callers may be connected: as is configured, or
// half of the files that may be open. Each of them may need a call of a provider,
// and there are stores and the journal.
func mostConnections(configured int, files uint64) int {
	if configured > 0 {
		return configured
	}
	return max(int(min(files/2, manyCalls)), 1)
}

// startCertificate reads what listeners show, and looks after it; nil where there
// is no TLS.
func startCertificate(cfg config.Config, log *slog.Logger, life *lifecycle) (*certificate.Keeper, error) {
	if !cfg.TLS.On() {
		return nil, nil
	}
	shown, err := certificate.Keep(cfg.TLS.Files, cfg.TLS.Oldest, os.ReadFile, time.Now(), log)
	if err != nil {
		return nil, err
	}
	life.start("certificate", shown.Run)
	return shown, nil
}

// answer serves what comes through l until that is closed.
func answer(server *http.Server, l net.Listener, shown *certificate.Keeper) error {
	if shown == nil {
		return server.Serve(l)
	}
	server.TLSConfig = shown.Config()
	return server.ServeTLS(l, "", "")
}

// countCallers exports who is connected, and what they are shown.
func countCallers(r telemetry.Registerer, l *httpapi.Connections, shown *certificate.Keeper) {
	telemetry.Gauge(r, "busu_connections", "Callers that are connected.", func() float64 { return float64(l.Open()) })
	telemetry.Gauge(r, "busu_connections_max", "Callers that may be connected; more wait.", func() float64 { return float64(l.Most()) })
	if shown == nil {
		return
	}
	telemetry.Gauge(r, "busu_tls_certificate_expires_timestamp_seconds", "When the certificate expires that is shown.",
		func() float64 { return float64(shown.Expires().Unix()) })
	telemetry.Gauge(r, "busu_tls_certificate_refused", "1 while the files of the certificate cannot be used, and what they had before is shown.", func() float64 {
		if shown.Refused() {
			return 1
		}
		return 0
	})
}
