package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/certificate"
)

// TLS is what the listeners show. The files are well when the configuration is;
// whoever serves reads them again when they change.
type TLS struct {
	Files   certificate.Files // BUSU_TLS_CERT, BUSU_TLS_KEY, BUSU_TLS_CLIENT_CA
	Oldest  uint16            // BUSU_TLS_MIN_VERSION, as crypto/tls numbers it
	Expires time.Time         // when the certificate does that was read
	Begins  time.Time
}

// On reports whether the listeners speak TLS.
func (t TLS) On() bool { return t.Files.Certificate != "" }

// URL is the address at which a listener of this configuration is asked.
func (t TLS) URL(addr string) string {
	if t.On() {
		return "https://" + addr
	}
	return "http://" + addr
}

// Caller is how commands ask a busu that runs.
type Caller struct {
	CA          string // BUSU_CA: a file of authorities to trust; "": those of the system
	Certificate string // BUSU_CLIENT_CERT and BUSU_CLIENT_KEY: what busu asks its clients for
	Key         string
}

const (
	tlsCert     = "BUSU_TLS_CERT"
	tlsKey      = "BUSU_TLS_KEY"
	tlsClientCA = "BUSU_TLS_CLIENT_CA"
)

// tls reads what listeners show. Half of it is refused: who wants TLS is not to
// get a listener without.
func (e *environment) tls(now time.Time) TLS {
	t := TLS{Files: certificate.Files{Certificate: e.text(tlsCert, ""), Key: e.text(tlsKey, ""), ClientCA: e.text(tlsClientCA, "")}, Oldest: e.oldestTLS()}
	switch f := t.Files; {
	case f == certificate.Files{}:
		return t
	case f.Certificate == "":
		e.wrong(tlsCert, "it is not set, though another variable of TLS is", "set it to the file of the certificate, or unset "+tlsKey+" and "+tlsClientCA)
		return TLS{Oldest: t.Oldest}
	case f.Key == "":
		e.wrong(tlsKey, "it is not set, though "+tlsCert+" is", "set it to the file of the certificate's key")
		return TLS{Oldest: t.Oldest}
	}
	shown, err := t.Files.Read(e.read, now)
	if fault, ok := errors.AsType[*certificate.Fault](err); ok {
		e.fault(fault, tlsCert, tlsKey, tlsClientCA)
		return TLS{Oldest: t.Oldest}
	}
	t.Begins, t.Expires = shown.Begins, shown.Expires
	return t
}

// fault says which variable names the file that has it.
func (e *environment) fault(f *certificate.Fault, cert, key, ca string) {
	variable := map[certificate.Part]string{certificate.Certificate: cert, certificate.Key: key, certificate.ClientCA: ca}[f.Part]
	e.wrong(variable, f.Message, f.Hint)
}

func (e *environment) oldestTLS() uint16 {
	const name = "BUSU_TLS_MIN_VERSION"
	text := e.text(name, "1.2")
	switch text {
	case "1.2":
		return tls.VersionTLS12
	case "1.3":
		return tls.VersionTLS13
	}
	e.wrong(name, fmt.Sprintf("%q is no version of TLS that busu can begin with", shorten(text)), "it can be 1.2 or 1.3")
	return tls.VersionTLS13
}

// caller reads how commands ask.
func (e *environment) caller(now time.Time) Caller {
	const ca, cert, key = "BUSU_CA", "BUSU_CLIENT_CERT", "BUSU_CLIENT_KEY"
	c := Caller{CA: e.text(ca, ""), Certificate: e.text(cert, ""), Key: e.text(key, "")}
	if c.CA != "" {
		e.authorities(ca, c.CA)
	}
	switch {
	case c.Certificate != "" && c.Key == "":
		e.wrong(key, "it is not set, though "+cert+" is", "set it to the file of the certificate's key")
	case c.Certificate == "" && c.Key != "":
		e.wrong(cert, "it is not set, though "+key+" is", "set it to the file of the certificate")
	case c.Certificate != "":
		_, err := certificate.Files{Certificate: c.Certificate, Key: c.Key}.Read(e.read, now)
		if fault, ok := errors.AsType[*certificate.Fault](err); ok {
			e.fault(fault, cert, key, "")
		}
	}
	return c
}

// authorities refuses a file, of whom a variable names it, that nobody can be
// trusted by.
func (e *environment) authorities(variable, path string) {
	text, err := e.read(path)
	if err != nil {
		e.wrong(variable, "the file of authorities that it names cannot be read ("+reason(err)+")", "check the path and its permissions")
		return
	}
	if _, err := certificate.Authorities(text); err != nil {
		e.wrong(variable, "the file of authorities that it names holds no certificate in PEM", "it begins with -----BEGIN CERTIFICATE-----")
	}
}

// rootsOf are the authorities that an address of a store names.
func (e *environment) rootsOf(name, address string) {
	_, query, _ := strings.Cut(address, "?")
	values, err := url.ParseQuery(query)
	if path := values.Get("sslrootcert"); err == nil && path != "" && path != "system" {
		e.authorities(name, path)
	}
}

// fewestConnections leaves room for health checks and a few callers.
const fewestConnections = 16

// maxConnections reads how many callers may be connected.
func (e *environment) maxConnections() int {
	const name = "BUSU_MAX_CONNECTIONS"
	text := e.text(name, "")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < fewestConnections {
		e.wrong(name, fmt.Sprintf("%q is no number from %d on", shorten(text), fewestConnections), "write it like 10000, or unset it: then the open files that there may be decide")
		return 0
	}
	return n
}
