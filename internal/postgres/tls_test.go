package postgres_test

import (
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/certificatetest"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/storetest"
)

// TestPostgresOverTLS: a server whose authority is named is trusted, another is
// not, and the error says what to do.
func TestPostgresOverTLS(t *testing.T) {
	t.Parallel()
	authority, other := certificatetest.New(t), certificatetest.New(t)
	dir := t.TempDir()
	ours, theirs := certificatetest.Write(t, dir, "ca.crt", authority.PEM), certificatetest.Write(t, dir, "other.crt", other.PEM)
	url := storetest.PostgresOverTLS(t, storetest.PostgresServer(t), authority) + "?sslmode=verify-full"
	for address, want := range map[string]string{
		url + "&sslrootcert=" + ours:   "",
		url + "&sslrootcert=" + theirs: "add sslrootcert=/path/ca.pem to DATABASE_URL",
		url:                            "add sslrootcert=/path/ca.pem to DATABASE_URL",
	} {
		db, err := postgres.Open(t.Context(), postgres.Options{URL: address, Name: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Check(t.Context()); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, which should say %q", address, err, want)
		}
		db.Close()
	}
}
