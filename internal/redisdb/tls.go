package redisdb

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// tlsFiles are paths of PEM files; "" for none.
type tlsFiles struct{ authorities, certificate, key string }

// takeFiles takes parameters out of a URL that the client library does not know.
func takeFiles(u *url.URL) (f tlsFiles, err error) {
	q := u.Query()
	for name, into := range map[string]*string{"sslrootcert": &f.authorities, "sslcert": &f.certificate, "sslkey": &f.key} {
		*into = q.Get(name)
		q.Del(name)
	}
	if f == (tlsFiles{}) {
		return f, nil
	}
	if u.Scheme != "rediss" {
		return f, errors.New("its sslrootcert, sslcert and sslkey are of TLS: write rediss://")
	}
	if (f.certificate == "") != (f.key == "") {
		return f, errors.New("sslcert and sslkey go together: name both or neither")
	}
	u.RawQuery = q.Encode()
	return f, nil
}

// into has what the files hold used. c is nil without TLS.
func (f tlsFiles) into(c *tls.Config) error {
	if c == nil {
		return nil
	}
	if f.authorities != "" {
		text, err := os.ReadFile(f.authorities)
		if err != nil {
			return fmt.Errorf("its sslrootcert cannot be read: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return errors.New("its sslrootcert names a file without a certificate in PEM")
		}
	}
	if f.certificate != "" {
		pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
		if err != nil {
			return fmt.Errorf("its sslcert and sslkey cannot be used: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return nil
}

// explained says what to do about a server that cannot be trusted.
func explained(err error) error {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("%w: add ?sslrootcert=/path/ca.pem to the address of Redis, with the authority that signed its certificate", err)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Errorf("%w: write a name that its certificate has into the address of Redis", err)
	}
	return err
}
