package localstack

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]version{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)":            {15, 18},
		"postgres (PostgreSQL) 19beta1":                                   {19, 0},
		"Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1":      {7, 0},
		"Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits": {8, 0},
	} {
		if got, err := parseVersion(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if _, err := parseVersion("no number"); err == nil {
		t.Error("a version without a number")
	}
	if (version{6, 0}).compare(oldestRedis) >= 0 || (version{14, 99}).compare(oldestPostgres) >= 0 {
		t.Error("an old server is taken")
	}
}

// fakePostgres writes scripts that say they are PostgreSQL of a version.
func fakePostgres(t *testing.T, dir, version string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postgres", "initdb"} {
		script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNewestFirst(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	for _, v := range []string{"9.6", "15", "17", "16"} {
		fakePostgres(t, filepath.Join(dir, "v", v), v)
	}
	var got []string
	for _, path := range newestFirst(filepath.Join(dir, "v/*/postgres")) {
		got = append(got, filepath.Base(filepath.Dir(path)))
	}
	if want := []string{"17", "16", "15", "9.6"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// Data is kept with the version that wrote it, when that is at hand.
func TestVersionThatSuitsTheData(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	var candidates []program
	for _, v := range []string{"14.2", "17.1", "15.3"} {
		fakePostgres(t, filepath.Join(dir, v), v)
		candidates = append(candidates, program{path: filepath.Join(dir, v, "postgres")})
	}
	o := Options{Dir: dir}
	for _, c := range []struct {
		data  string
		major int
		notes int
	}{{"", 17, 0}, {"pg15", 15, 0}, {"pg16", 17, 1}} {
		place := filepath.Join(dir, "place"+c.data)
		if err := os.MkdirAll(filepath.Join(place, c.data), 0o755); err != nil {
			t.Fatal(err)
		}
		if c.data != "" {
			if err := os.WriteFile(filepath.Join(place, c.data, "PG_VERSION"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		o.Dir = place
		home, err := usable(t.Context(), o, place, candidates)
		if err != nil || home.version.major != c.major || len(home.notes(o)) != c.notes {
			t.Errorf("with %q: %v, %v, %q", c.data, home.version, err, home.notes(o))
		}
	}
	if _, err := usable(t.Context(), o, o.Dir, candidates[:1]); err == nil || !strings.Contains(err.Error(), "14.2") {
		t.Errorf("PostgreSQL 14: %v", err)
	}
}

func TestReasonsAreNamedOnce(t *testing.T) {
	t.Parallel()
	a, b := errors.New("a"), errors.New("b\n")
	if got := oneLine(a, errors.Join(b, a), b); got != "a; b" {
		t.Errorf("%q", got)
	}
}
