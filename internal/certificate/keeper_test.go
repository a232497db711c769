package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/certificatetest"
)

// keys are one key in each form.
func keys(t *testing.T) map[string][]byte {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	in := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return map[string][]byte{"SEC 1": in("EC PRIVATE KEY", sec1), "PKCS#8": in("PRIVATE KEY", pkcs8),
		"PKCS#1": in("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))}
}

func both(a *certificatetest.Authority, cert []byte) *x509.CertPool {
	pool := a.Pool()
	pool.AppendCertsFromPEM(cert)
	return pool
}

// kept starts a keeper on files, with a log that can be read.
func kept(t *testing.T, files Files, oldest uint16, read func(string) ([]byte, error)) (*Keeper, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	k, err := Keep(files, oldest, read, time.Now(), slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return k, &out
}

// shake has a client shake hands with what a keeper configures, and gives what
// each of them says of it, and what the client was shown.
func shake(t *testing.T, k *Keeper, client *tls.Config) (leaf *x509.Certificate, served, asked error) {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	var all sync.WaitGroup
	all.Go(func() {
		defer there.Close()
		server := tls.Server(there, k.Config())
		if served = server.Handshake(); served == nil {
			_, served = server.Write([]byte("x")) // with TLS 1.3 the client learns only now that it is refused
		}
	})
	conn := tls.Client(here, client)
	if _, asked = conn.Read(make([]byte, 1)); asked == nil {
		leaf = conn.ConnectionState().PeerCertificates[0]
	}
	here.Close()
	all.Wait()
	return leaf, served, asked
}

// TestWhoMayShakeHands: nobody who speaks an older TLS, and where authorities
// are named, nobody without a certificate of theirs.
func TestWhoMayShakeHands(t *testing.T) {
	t.Parallel()
	a, stranger := certificatetest.New(t), certificatetest.New(t)
	cert, key := a.Issue(t, certificatetest.Wish{})
	files := disk{paths.Certificate: cert, paths.Key: key, paths.ClientCA: a.PEM}
	open := Files{Certificate: paths.Certificate, Key: paths.Key}
	ours, theirs := a.Pair(t), stranger.Pair(t)
	for name, c := range map[string]struct {
		files  Files
		oldest uint16
		client *tls.Config
		ok     bool
	}{
		"1.3":                   {open, tls.VersionTLS12, &tls.Config{}, true},
		"1.2":                   {open, tls.VersionTLS12, &tls.Config{MaxVersion: tls.VersionTLS12}, true},
		"1.1":                   {open, tls.VersionTLS12, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		"1.2 where 1.3 is":      {open, tls.VersionTLS13, &tls.Config{MaxVersion: tls.VersionTLS12}, false},
		"1.3 where 1.3 is":      {open, tls.VersionTLS13, &tls.Config{}, true},
		"without a certificate": {paths, tls.VersionTLS12, &tls.Config{}, false},
		"the same by 1.2":       {paths, tls.VersionTLS12, &tls.Config{MaxVersion: tls.VersionTLS12}, false},
		"with another's":        {paths, tls.VersionTLS12, &tls.Config{GetClientCertificate: show(&theirs)}, false},
		"with ours":             {paths, tls.VersionTLS12, &tls.Config{GetClientCertificate: show(&ours)}, true},
	} {
		k, _ := kept(t, c.files, c.oldest, files.read)
		c.client.RootCAs, c.client.ServerName = a.Pool(), "localhost"
		_, served, asked := shake(t, k, c.client)
		if (served == nil) != c.ok || (asked == nil) != c.ok {
			t.Errorf("%s: %v, %v", name, served, asked)
		}
	}
}

// show shows a certificate whatever authorities the server names.
func show(pair *tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
}

// TestNobodyResumesPastAnAuthority that was taken out: without tickets, whoever
// comes again shows a certificate again.
func TestNobodyResumesPastAnAuthority(t *testing.T) {
	t.Parallel()
	a, clients := certificatetest.New(t), certificatetest.New(t)
	cert, key := a.Issue(t, certificatetest.Wish{})
	files := disk{paths.Certificate: cert, paths.Key: key, paths.ClientCA: clients.PEM}
	k, _ := kept(t, paths, tls.VersionTLS12, files.read)
	theirs := clients.Pair(t)
	client := &tls.Config{RootCAs: a.Pool(), ServerName: "localhost", GetClientCertificate: show(&theirs), ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	if _, served, asked := shake(t, k, client); served != nil || asked != nil {
		t.Fatal(served, asked)
	}
	files[paths.ClientCA] = a.PEM
	k.Look(time.Now())
	if _, served, asked := shake(t, k, client); served == nil || asked == nil {
		t.Error("a client of the authority of before is let in")
	}
}

// TestFilesThatChange by a link that moves, as Kubernetes does it: the new
// certificate is shown, a broken one is said once and changes nothing.
func TestFilesThatChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := certificatetest.New(t)
	link := func(version string, cert, key []byte) {
		t.Helper()
		certificatetest.Write(t, mkdir(t, dir, version), "tls.crt", cert)
		certificatetest.Write(t, filepath.Join(dir, version), "tls.key", key)
		if err := os.Symlink(version, filepath.Join(dir, "next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "data")); err != nil {
			t.Fatal(err)
		}
	}
	first, firstKey := a.Issue(t, certificatetest.Wish{})
	link("1", first, firstKey)
	k, log := kept(t, Files{Certificate: filepath.Join(dir, "data/tls.crt"), Key: filepath.Join(dir, "data/tls.key")}, tls.VersionTLS12, os.ReadFile)
	shows := func(want []byte) {
		t.Helper()
		leaf, served, asked := shake(t, k, &tls.Config{RootCAs: a.Pool(), ServerName: "localhost"})
		if served != nil || asked != nil {
			t.Fatal(served, asked)
		}
		if block, _ := pem.Decode(want); !bytes.Equal(leaf.Raw, block.Bytes) {
			t.Error("another certificate is shown")
		}
	}
	k.Look(time.Now())
	shows(first)
	if log.Len() > 0 {
		t.Errorf("nothing has changed, and it says %s", log)
	}
	second, secondKey := a.Issue(t, certificatetest.Wish{Until: time.Now().Add(48 * time.Hour)})
	link("2", second, firstKey)
	for range 3 {
		k.Look(time.Now())
	}
	shows(first)
	if text := log.String(); !k.Refused() || strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, "it is not the key of the certificate") {
		t.Errorf("of a key that does not fit it says %s", text)
	}
	link("3", second, secondKey)
	k.Look(time.Now())
	shows(second)
	if k.Refused() || !strings.Contains(log.String(), "a new certificate is shown") || time.Until(k.Expires()) < 47*time.Hour {
		t.Errorf("of a good pair it says %s", log)
	}
	k.Look(time.Now().Add(100 * time.Hour))
	if !strings.Contains(log.String(), "expired on") || !k.Refused() {
		t.Errorf("of a certificate that has expired it says %s", log)
	}
	k.Look(time.Now())
	if k.Refused() || !strings.Contains(log.String(), "well again") {
		t.Errorf("of files that are well again it says %s", log)
	}
}

func mkdir(t *testing.T, parent, name string) string {
	t.Helper()
	dir := filepath.Join(parent, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRunLooks every ten seconds, and no more often than it has to read.
func TestRunLooks(t *testing.T) {
	t.Parallel()
	a := certificatetest.New(t)
	cert, key := a.Issue(t, certificatetest.Wish{From: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Now().Add(time.Hour)})
	synctest.Test(t, func(t *testing.T) {
		files, reads := disk{paths.Certificate: cert, paths.Key: key}, 0
		k, _ := kept(t, Files{Certificate: paths.Certificate, Key: paths.Key}, tls.VersionTLS12, func(path string) ([]byte, error) {
			reads++
			return files.read(path)
		})
		go func() { _ = k.Run(t.Context()) }()
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if reads != 2*7 {
			t.Errorf("in a minute it reads %d files", reads)
		}
	})
}
