package redisdb

import (
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/certificatetest"
	"github.com/busuhq/busu/internal/storetest"
)

// TestRedisOverTLS: a server whose authority is named is trusted, another is not,
// and the error says what to do.
func TestRedisOverTLS(t *testing.T) {
	t.Parallel()
	authority, other := certificatetest.New(t), certificatetest.New(t)
	dir := t.TempDir()
	ours, theirs := certificatetest.Write(t, dir, "ca.crt", authority.PEM), certificatetest.Write(t, dir, "other.crt", other.PEM)
	url := storetest.RedisOverTLS(t, storetest.RedisServer(t), authority)
	for address, want := range map[string]string{
		url + "?sslrootcert=" + ours:   "",
		url + "?sslrootcert=" + theirs: "add ?sslrootcert=/path/ca.pem to the address of Redis",
		url:                            "add ?sslrootcert=/path/ca.pem to the address of Redis",
	} {
		db, err := Open(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Check(t.Context()); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, which should say %q", address, err, want)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestTLSFilesInAddresses that cannot be used are refused before anything is dialled.
func TestTLSFilesInAddresses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certificatetest.New(t).Issue(t, certificatetest.Wish{})
	crt, pem := certificatetest.Write(t, dir, "c", cert), certificatetest.Write(t, dir, "k", key)
	for _, kind := range []string{"rediss://u:secret@h/?", "rediss+cluster://u:secret@h/?", "rediss+sentinel://u:secret@h/m?"} {
		for parameters, want := range map[string]string{
			"sslrootcert=" + crt: "", "sslcert=" + crt + "&sslkey=" + pem: "",
			"sslrootcert=/none": "sslrootcert cannot be read", "sslrootcert=" + pem: "without a certificate in PEM",
			"sslcert=" + crt: "name both or neither", "sslcert=" + crt + "&sslkey=" + crt: "sslcert and sslkey cannot be used",
		} {
			db, err := Open(kind + parameters)
			if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("%s%s: %v, which should say %q", kind, parameters, err, want)
			}
			if err == nil {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if _, err := Open("redis://h?sslrootcert=" + crt); err == nil || !strings.Contains(err.Error(), "write rediss://") {
		t.Errorf("authorities without TLS: %v", err)
	}
}
