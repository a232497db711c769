package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/certificate"
	"github.com/busuhq/busu/internal/certificatetest"
	"github.com/busuhq/busu/internal/config"
)

// TestCallersOverTLS: commands trust the authority that is named, and on this
// machine what the configuration has shown; they show what is asked for, and say
// what to do where they are not let in or do not trust.
func TestCallersOverTLS(t *testing.T) {
	t.Parallel()
	authority, other := certificatetest.New(t), certificatetest.New(t)
	dir := t.TempDir()
	file := func(name string, text []byte) string { return certificatetest.Write(t, dir, name, text) }
	local, localKey := authority.Issue(t, certificatetest.Wish{})
	named, namedKey := authority.Issue(t, certificatetest.Wish{Names: []string{"busu.example"}})
	files := certificate.Files{Certificate: file("named.crt", named), Key: file("named.key", namedKey)}
	ca, wrong := file("ca.crt", authority.PEM), file("other.crt", other.PEM)
	localFiles := certificate.Files{Certificate: file("local.crt", local), Key: file("local.key", localKey)}
	for name, c := range map[string]struct {
		cert, key []byte // of the server
		clients   *x509.CertPool
		cfg       config.Config
		says      string
	}{
		"by the authority":          {local, localKey, nil, config.Config{Caller: config.Caller{CA: ca}}, ""},
		"by another":                {local, localKey, nil, config.Config{Caller: config.Caller{CA: wrong}}, "BUSU_CA=/path/ca.pem"},
		"by none":                   {local, localKey, nil, config.Config{}, "BUSU_CA=/path/ca.pem"},
		"by a name that it has not": {named, namedKey, nil, config.Config{Caller: config.Caller{CA: ca}}, "by a name that its certificate has"},
		"our own, of another name":  {named, namedKey, nil, config.Config{TLS: config.TLS{Files: files}}, ""},
		"another than our own":      {local, localKey, nil, config.Config{TLS: config.TLS{Files: files}}, "BUSU_CA=/path/ca.pem"},
		"without what is asked for": {local, localKey, authority.Pool(), config.Config{Caller: config.Caller{CA: ca}}, "set BUSU_CLIENT_CERT"},
		"with it":                   {local, localKey, authority.Pool(), config.Config{Caller: config.Caller{CA: ca, Certificate: localFiles.Certificate, Key: localFiles.Key}}, ""},
		"with our own":              {named, namedKey, authority.Pool(), config.Config{TLS: config.TLS{Files: files}}, ""},
	} {
		pair, err := tls.X509KeyPair(c.cert, c.key)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "well") }))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		if c.clients != nil {
			server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, c.clients
		}
		server.StartTLS()
		base, client, err := callerOf(c.cfg, "https://"+server.Listener.Addr().String()+"/")
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Get(base)
		if err == nil {
			_ = answer.Body.Close()
		}
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(unasked(err).Error(), c.says) {
			t.Errorf("%s: %v, which should say %q", name, err, c.says)
		}
		client.CloseIdleConnections()
		server.Close()
	}
}

// TestOwnCertificateCountsHereOnly: elsewhere somebody else may have its file.
func TestOwnCertificateCountsHereOnly(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{"127.0.0.1": true, "::1": true, "0.0.0.0": true, "localhost": true,
		"10.0.0.1": false, "busu.example": false, "127.0.0.1.example": false} {
		if isHere(address) != want {
			t.Errorf("%s: here is %t", address, !want)
		}
	}
}

// TestWhereCommandsAsk by default: as the configuration listens.
func TestWhereCommandsAsk(t *testing.T) {
	t.Parallel()
	cfg := config.Config{Addr: "127.0.0.1:8000"}
	if base, _, err := callerOf(cfg, ""); err != nil || base != "http://127.0.0.1:8000" {
		t.Errorf("%s, %v", base, err)
	}
	if base, _, err := callerOf(cfg, "http://b.example/"); err != nil || base != "http://b.example" {
		t.Errorf("%s, %v", base, err)
	}
}
