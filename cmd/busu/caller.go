package main

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync/atomic"

	"github.com/busuhq/busu/internal/certificate"
	"github.com/busuhq/busu/internal/config"
)

// callerOf is who asks a busu that runs, and where: at address, or else where
// this configuration has it listen.
func callerOf(cfg config.Config, address string) (base string, client *http.Client, err error) {
	base = cmp.Or(strings.TrimSuffix(address, "/"), cfg.TLS.URL(cfg.Addr))
	transport := http.DefaultTransport.(*http.Transport).Clone()
	client = &http.Client{Transport: transport}
	if !strings.HasPrefix(base, "https://") {
		return base, client, nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" {
		return "", nil, fmt.Errorf("%q is no address of busu: write it like https://busu.example.com", base)
	}
	trust := trusted{name: u.Hostname(), here: address == "" || isHere(u.Hostname())}
	pair := [2]string{cfg.Caller.Certificate, cfg.Caller.Key}
	if trust.here && cfg.TLS.On() {
		if trust.own, err = leafOf(cfg.TLS.Files.Certificate); err != nil {
			return "", nil, err
		}
		if pair[0] == "" {
			pair = [2]string{cfg.TLS.Files.Certificate, cfg.TLS.Files.Key}
		}
	}
	if trust.roots, err = rootsIn(cfg.Caller.CA); err != nil {
		return "", nil, err
	}
	// What the library would verify, trusted does, and what is ours besides.
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyConnection: trust.verify}
	shows := &identified{Transport: transport}
	if pair[0] != "" {
		if shows.with, err = tls.LoadX509KeyPair(pair[0], pair[1]); err != nil {
			return "", nil, fmt.Errorf("the client's certificate cannot be used (%w): look at BUSU_CLIENT_CERT and BUSU_CLIENT_KEY", err)
		}
	}
	transport.TLSClientConfig.GetClientCertificate = shows.certificate
	client.Transport = shows
	return base, client, nil
}

// identified shows a certificate where it is asked for one, and remembers that it
// was. Who refuses it says so and hangs up: the request, which is being written by
// then, often fails with that before anybody has read why.
type identified struct {
	*http.Transport
	with  tls.Certificate // none: it has no chain
	asked atomic.Bool
}

func (i *identified) certificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	i.asked.Store(true)
	return &i.with, nil
}

// RoundTrip asks.
func (i *identified) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := i.Transport.RoundTrip(r)
	if err != nil && i.asked.Load() && r.Context().Err() == nil {
		return nil, &unidentified{err}
	}
	return answer, err
}

// unidentified is that there was no answer of who asks for certificates.
type unidentified struct{ error }

func (u *unidentified) Unwrap() error { return u.error }

// trusted is who may answer over TLS: whom the authorities have signed for, by the
// name that was asked for; and on this machine who shows the certificate that it
// is configured with here, which rarely names a loopback address.
type trusted struct {
	name  string         // or IP address; what the library tells of the connection leaves addresses out
	roots *x509.CertPool // nil: the system's
	own   []byte         // DER; nil: there is none
	here  bool
}

func (t trusted) verify(c tls.ConnectionState) error {
	if t.here && t.own != nil && bytes.Equal(t.own, c.PeerCertificates[0].Raw) {
		return nil
	}
	between := x509.NewCertPool()
	for _, cert := range c.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	_, err := c.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: t.roots, Intermediates: between, DNSName: t.name})
	return err
}

// isHere reports whether a host is this machine and no other.
func isHere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && (ip.Unmap().IsLoopback() || ip.IsUnspecified())
}

func leafOf(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return block.Bytes, nil
		}
	}
	return nil, errors.New("BUSU_TLS_CERT names a file without a certificate")
}

func rootsIn(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return certificate.Authorities(text)
}

// unasked says what to do where busu could not be asked.
func unasked(err error) error {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, misnamed := errors.AsType[x509.HostnameError](err)
	_, unidentified := errors.AsType[*unidentified](err)
	switch {
	case unknown:
		return fmt.Errorf("busu cannot be asked (%w): name the authority that signed its certificate with BUSU_CA=/path/ca.pem", err)
	case misnamed:
		return fmt.Errorf("busu cannot be asked (%w): ask by a name that its certificate has, with --url", err)
	case unidentified:
		return fmt.Errorf("busu cannot be asked (%w): where it asks clients for certificates, set BUSU_CLIENT_CERT and BUSU_CLIENT_KEY", err)
	}
	return fmt.Errorf("busu cannot be asked (%w): does it run?", err)
}
