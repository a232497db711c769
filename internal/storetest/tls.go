package storetest

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/certificatetest"
	"github.com/busuhq/busu/internal/localstack"
)

// RedisOverTLS has a server of the test's own speak TLS, too, with a certificate
// of the loopback addresses, and gives its address there.
func RedisOverTLS(t testing.TB, server *Server, by *certificatetest.Authority) string {
	t.Helper()
	dir := t.TempDir()
	cert, key := by.Issue(t, certificatetest.Wish{})
	client := RedisClient(t, server.URL)
	var err error
	for range startAttempts {
		free, none := localstack.FreeAddr()
		if none != nil {
			t.Fatalf("storetest: %v", none)
		}
		if err = client.Do(t.Context(), "CONFIG", "SET", "tls-cert-file", certificatetest.Write(t, dir, "tls.crt", cert),
			"tls-key-file", certificatetest.Write(t, dir, "tls.key", key), "tls-auth-clients", "no",
			"tls-port", strconv.Itoa(int(free.Port()))).Err(); err == nil {
			u, err := url.Parse(server.URL)
			if err != nil {
				t.Fatalf("storetest: %v", err)
			}
			u.Scheme, u.Host = "rediss", free.String()
			return u.String()
		}
	}
	t.Fatalf("storetest: Redis does not speak TLS: %v", err)
	return ""
}

// PostgresOverTLS has a server of the test's own speak TLS, too, with a
// certificate of the loopback addresses, and gives its address without sslmode.
func PostgresOverTLS(t testing.TB, server *Server, by *certificatetest.Authority) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), formWithin)
	defer cancel()
	conn, err := pgx.Connect(ctx, server.URL)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var dir string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&dir); err != nil {
		t.Fatalf("storetest: %v", err)
	}
	cert, key := by.Issue(t, certificatetest.Wish{})
	// The server writes them itself: it is another user, and takes no key that others may read.
	for name, text := range map[string][]byte{"server.crt": cert, "server.key": key} {
		lines := "'" + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "','") + "'"
		if _, err := conn.Exec(ctx, fmt.Sprintf("COPY (SELECT unnest(ARRAY[%s])) TO PROGRAM 'umask 077; cat >%s'", lines, filepath.Join(dir, name))); err != nil {
			t.Fatalf("storetest: %v", err)
		}
	}
	for _, statement := range []string{"ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatalf("storetest: %v", err)
		}
	}
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	u.RawQuery = ""
	secure := u.String() + "?sslmode=require"
	if err := await(ctx, func() bool {
		conn, err := pgx.Connect(ctx, secure)
		if err == nil {
			conn.Close(ctx)
		}
		return err == nil
	}); err != nil {
		t.Fatalf("storetest: PostgreSQL does not speak TLS: %v", err)
	}
	return u.String()
}
