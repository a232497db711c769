package app_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/certificatetest"
	"github.com/busuhq/busu/internal/storetest"
)

// mount is a directory of a secret as Kubernetes has it: its files are behind a
// link, which moves when they change, all of them at once.
type mount struct {
	t   *testing.T
	dir string
}

func (m mount) path(name string) string { return filepath.Join(m.dir, "current", name) }

// put replaces the files.
func (m mount) put(files map[string][]byte) {
	m.t.Helper()
	version, err := os.MkdirTemp(m.dir, "version-")
	if err != nil {
		m.t.Fatal(err)
	}
	for name, text := range files {
		certificatetest.Write(m.t, version, name, text)
	}
	link := version + ".link"
	if err := os.Symlink(version, link); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(link, filepath.Join(m.dir, "current")); err != nil {
		m.t.Fatal(err)
	}
}

// issue puts a new certificate of this name there, or one of this machine.
func (m mount) issue(a *certificatetest.Authority, names ...string) {
	m.t.Helper()
	cert, key := a.Issue(m.t, certificatetest.Wish{Names: names})
	m.put(map[string][]byte{"tls.crt": cert, "tls.key": key, "ca.crt": a.PEM})
}

// startSecurely starts a binary on a free port, and waits until it answers there
// over TLS with this status.
func startSecurely(t *testing.T, secure *tls.Config, env []string, name, path string, status int) *process {
	t.Helper()
	addr := freeAddr(t)
	p := launch(t, nil, append(env, "BUSU_ADDR="+addr, "BUSU_LOG_FORMAT=json"), name)
	p.base = "https://" + addr
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: secure, ForceAttemptHTTP2: true}}
	t.Cleanup(client.CloseIdleConnections)
	p.until("it answers over TLS", func() bool {
		r, err := client.Get(p.base + path)
		if err != nil {
			return false
		}
		defer r.Body.Close()
		_, err = io.Copy(io.Discard, r.Body)
		return err == nil && r.StatusCode == status && r.ProtoMajor == 2
	})
	return p
}

// health runs busu health, and holds what it says and whether it fails.
func health(t *testing.T, env []string, code int, says string, args ...string) {
	t.Helper()
	p := launch(t, nil, env, "busu", append([]string{"health"}, args...)...)
	got := p.end()
	if said := p.stdout.String() + p.stderr.String(); got != code || !strings.Contains(said, says) {
		t.Errorf("busu health %q with %q: exit code %d, not %d, or it does not say %q:\n%s", args, env, got, code, says, said)
	}
}

// A process speaks TLS and nothing else; busu health trusts the authority that
// it is told, and says what to do where it is told none; a renewed certificate is
// shown without a restart.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	a := certificatetest.New(t)
	files := mount{t, t.TempDir()}
	files.issue(a)
	env := []string{"BUSU_STATE_DIR=" + stateDir(t), "BUSU_CONFIG=" + configFile(t, quick), "DATABASE_URL=" + storetest.Postgres(t), "REDIS_URL=" + storetest.Redis(t),
		"BUSU_TLS_CERT=" + files.path("tls.crt"), "BUSU_TLS_KEY=" + files.path("tls.key")}
	secure := &tls.Config{RootCAs: a.Pool()}
	p := startSecurely(t, secure, env, "api", "/readyz", http.StatusOK)

	health(t, []string{"BUSU_CA=" + files.path("ca.crt")}, 0, `"ready"`, "--url", p.base)
	health(t, nil, 1, "name the authority that signed its certificate with BUSU_CA=/path/ca.pem", "--url", p.base)
	if r, err := http.Get("http://" + strings.TrimPrefix(p.base, "https://") + "/readyz"); err == nil {
		r.Body.Close()
		if r.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP is answered with %s", r.Status)
		}
	}

	shown := func() []byte {
		c, err := tls.Dial("tcp", strings.TrimPrefix(p.base, "https://"), secure)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Raw
	}
	before := shown()
	files.issue(a)
	p.until("the new certificate is shown", func() bool { return !bytes.Equal(shown(), before) })
	health(t, []string{"BUSU_CA=" + files.path("ca.crt")}, 0, `"ready"`, "--url", p.base)
	p.stop()
}

// Where clients need a certificate, a process's own probe shows that of the
// process, by whatever name it has; whoever has none is told what to do. Alive is
// also who is not ready.
func TestProbesWhereClientsNeedCertificates(t *testing.T) {
	t.Parallel()
	a := certificatetest.New(t)
	files := mount{t, t.TempDir()}
	files.issue(a, "busu-api.llm.svc", "localhost")
	own := []string{"BUSU_STATE_DIR=" + stateDir(t), "DATABASE_URL=postgres://nobody@127.0.0.1:1/busu", "REDIS_URL=redis://127.0.0.1:1",
		"BUSU_TLS_CERT=" + files.path("tls.crt"), "BUSU_TLS_KEY=" + files.path("tls.key"), "BUSU_TLS_CLIENT_CA=" + files.path("ca.crt")}
	secure := &tls.Config{RootCAs: a.Pool(), ServerName: "busu-api.llm.svc", Certificates: []tls.Certificate{a.Pair(t)}}
	p := startSecurely(t, secure, own, "aggregator", "/healthz", http.StatusOK)

	own = append(own, "BUSU_ADDR="+strings.TrimPrefix(p.base, "https://"))
	health(t, own, 0, "", "--alive")
	health(t, own, 1, "not ready: "+p.base)
	elsewhere := []string{"BUSU_CA=" + files.path("ca.crt")}
	for range 10 { // who is refused may hear of it before the request is written, or after
		health(t, elsewhere, 1, "set BUSU_CLIENT_CERT and BUSU_CLIENT_KEY", "--alive", "--url", strings.Replace(p.base, "127.0.0.1", "localhost", 1))
	}
	health(t, elsewhere, 1, "ask by a name that its certificate has", "--alive", "--url", p.base)
	mine := certificatetest.Write(t, t.TempDir(), "mine.pem", pairOf(t, a))
	health(t, append(elsewhere, "BUSU_CLIENT_CERT="+mine, "BUSU_CLIENT_KEY="+mine), 0, "", "--alive", "--url", strings.Replace(p.base, "127.0.0.1", "localhost", 1))
}

// pairOf is a certificate with its key in one file.
func pairOf(t *testing.T, a *certificatetest.Authority) []byte {
	t.Helper()
	cert, key := a.Issue(t, certificatetest.Wish{})
	return append(cert, key...)
}
