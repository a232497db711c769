package config

import (
	"bytes"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/certificatetest"
)

// pems are files of an authority, of a pair that is good on the day on which
// tests load, and of one that is not.
func pems(t *testing.T) func(string) ([]byte, error) {
	t.Helper()
	a := certificatetest.New(t)
	good, goodKey := a.Issue(t, certificatetest.Wish{From: today.Add(-time.Hour), Until: today.Add(30 * day)})
	old, oldKey := a.Issue(t, certificatetest.Wish{From: today.Add(-2 * day), Until: today.Add(-day)})
	return files("/good.crt", string(good), "/good.key", string(goodKey), "/old.crt", string(old), "/old.key", string(oldKey), "/ca.crt", string(a.PEM))
}

func TestTLS(t *testing.T) {
	t.Parallel()
	read := pems(t)
	if _, err := load(Worker, env("BUSU_TLS_CERT", "/good.crt", "BUSU_TLS_KEY", "/good.key", "BUSU_TLS_CLIENT_CA", "/good.crt"), read); err == nil {
		t.Error("who is no authority is taken for one")
	}
	c, err := load(Worker, env("BUSU_TLS_CERT", "/good.crt", "BUSU_TLS_KEY", "/good.key", "BUSU_TLS_CLIENT_CA", "/ca.crt", "BUSU_TLS_MIN_VERSION", "1.3",
		"BUSU_MAX_CONNECTIONS", "16", "BUSU_CA", "/ca.crt", "BUSU_CLIENT_CERT", "/good.crt", "BUSU_CLIENT_KEY", "/good.key"), read)
	if err != nil || !c.TLS.On() || c.TLS.Oldest != tls.VersionTLS13 || !c.TLS.Expires.Equal(today.Add(30*day)) || c.MaxConnections != 16 || c.Caller.CA != "/ca.crt" || c.TLS.Files.ClientCA != "/ca.crt" {
		t.Errorf("%+v %+v, %v", c.TLS, c.Caller, err)
	}
	var printed bytes.Buffer
	if err := c.Print(&printed); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"# BUSU_TLS_CERT=/good.crt\n", "# BUSU_TLS_MIN_VERSION=1.3\n", "# BUSU_MAX_CONNECTIONS=16\n", "# BUSU_CA=/ca.crt\n", "# BUSU_CLIENT_KEY=/good.key\n"} {
		if !strings.Contains(printed.String(), line) {
			t.Errorf("it prints no %s", line)
		}
	}
	if c, err = load(All, env(), read); err != nil || c.TLS.On() || c.TLS.Oldest != tls.VersionTLS12 || c.MaxConnections != 0 {
		t.Errorf("by default: %+v, %v", c.TLS, err)
	}
}

// TestHalfOfTLSIsRefused, and all that is broken: nobody who wants TLS gets a
// listener without.
func TestHalfOfTLSIsRefused(t *testing.T) {
	t.Parallel()
	read := pems(t)
	const both = "BUSU_TLS_CERT /good.crt BUSU_TLS_KEY /good.key "
	for variables, want := range map[string]string{
		"BUSU_TLS_CERT /good.crt":                                               "BUSU_TLS_KEY: it is not set, though BUSU_TLS_CERT is; set it to the file",
		"BUSU_TLS_KEY /good.key":                                                "BUSU_TLS_CERT: it is not set, though another variable of TLS is; set it to the file of the certificate, or unset",
		"BUSU_TLS_CLIENT_CA /ca.crt":                                            "BUSU_TLS_CERT: it is not set, though another variable of TLS is",
		"BUSU_TLS_CERT /none BUSU_TLS_KEY /good.key":                            "BUSU_TLS_CERT: the file cannot be read (no such file); check the path",
		"BUSU_TLS_CERT /good.crt BUSU_TLS_KEY /none":                            "BUSU_TLS_KEY: the file cannot be read (no such file); check the path",
		"BUSU_TLS_CERT /good.crt BUSU_TLS_KEY /old.key":                         "BUSU_TLS_KEY: it is not the key of the certificate; take both",
		"BUSU_TLS_CERT /old.crt BUSU_TLS_KEY /old.key":                          `BUSU_TLS_CERT: "localhost, 127.0.0.1, ::1" expired on `,
		both + "BUSU_TLS_CLIENT_CA /none":                                       "BUSU_TLS_CLIENT_CA: the file cannot be read",
		both + "BUSU_TLS_MIN_VERSION 1.1":                                       `BUSU_TLS_MIN_VERSION: "1.1" is no version of TLS that busu can begin with; it can be 1.2 or 1.3`,
		"BUSU_MAX_CONNECTIONS 15":                                               `BUSU_MAX_CONNECTIONS: "15" is no number from 16 on; write it like 10000`,
		"BUSU_MAX_CONNECTIONS many":                                             `BUSU_MAX_CONNECTIONS: "many" is no number from 16 on`,
		"BUSU_CA /none":                                                         "BUSU_CA: the file of authorities that it names cannot be read (no such file); check the path",
		"BUSU_CA /good.key":                                                     "BUSU_CA: the file of authorities that it names holds no certificate in PEM; it begins with",
		"BUSU_CLIENT_CERT /good.crt":                                            "BUSU_CLIENT_KEY: it is not set, though BUSU_CLIENT_CERT is; set it",
		"BUSU_CLIENT_KEY /good.key":                                             "BUSU_CLIENT_CERT: it is not set, though BUSU_CLIENT_KEY is; set it",
		"BUSU_CLIENT_CERT /old.crt BUSU_CLIENT_KEY /good.key":                   "BUSU_CLIENT_CERT: \"localhost, 127.0.0.1, ::1\" expired on ",
		"REDIS_URL rediss://r?sslrootcert=/none":                                "REDIS_URL: the file of authorities that it names cannot be read (no such file)",
		"DATABASE_URL postgres://d/x?sslmode=verify-full&sslrootcert=/good.key": "DATABASE_URL: the file of authorities that it names holds no certificate in PEM",
	} {
		c, err := load(Worker, env(strings.Fields(variables)...), read)
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, which should begin with %q", variables, err, want)
		}
		if c.TLS.On() {
			t.Errorf("%s: TLS is on", variables)
		}
		if err != nil {
			checkEachHasAHint(t, problems)
		}
	}
	for _, address := range []string{"postgres://d/x?sslmode=verify-full&sslrootcert=system", "postgres://d/x?sslmode=verify-full&sslrootcert=/ca.crt"} {
		if _, err := load(Worker, env("DATABASE_URL", address), read); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}
