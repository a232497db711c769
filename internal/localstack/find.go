package localstack

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// The oldest servers whose SQL and commands busu can use.
var (
	oldestPostgres = version{15, 0}
	oldestRedis    = version{6, 2}
)

type version struct{ major, minor int }

func (v version) compare(w version) int {
	return cmp.Or(cmp.Compare(v.major, w.major), cmp.Compare(v.minor, w.minor))
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// parseVersion reads the first number of what --version prints.
func parseVersion(text string) (version, error) {
	m := regexp.MustCompile(`(\d+)(?:\.(\d+))?`).FindStringSubmatch(text)
	if m == nil {
		return version{}, fmt.Errorf("no version in %.100q", text)
	}
	major, err := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2]) // 19beta1 has none
	return version{major, minor}, err
}

// program is an executable and where its libraries are.
type program struct {
	path string
	libs string // LD_LIBRARY_PATH; empty for an installed program
}

// environ is small and the same everywhere: PGDATA and its like would change
// what a server does, and a locale what it prints.
func (p program) environ() []string {
	env := []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	if tz, ok := os.LookupEnv("TZ"); ok {
		env = append(env, "TZ="+tz)
	}
	if p.libs != "" {
		env = append(env, "LD_LIBRARY_PATH="+p.libs, "DYLD_LIBRARY_PATH="+p.libs)
	}
	return env
}

// sibling is another program of the same directory.
func (p program) sibling(name string) program {
	return program{path: filepath.Join(filepath.Dir(p.path), name), libs: p.libs}
}

// findPostgres lists the postgres programs at hand, best first: what the
// environment names, then PATH, then where packages put them, newest first,
// then what was fetched into one of tools.
func findPostgres(tools ...string) []program {
	var paths []string
	if dir := os.Getenv("PG_BIN_DIR"); dir != "" {
		paths = append(paths, filepath.Join(dir, "postgres"))
	}
	paths = append(paths, onPath("postgres")...)
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin/postgres",
		"/usr/pgsql-*/bin/postgres",
		"/usr/libexec/postgresql*/postgres",
		"/usr/libexec/postgresql*/bin/postgres",
		"/opt/homebrew/opt/postgresql@*/bin/postgres",
		"/usr/local/opt/postgresql@*/bin/postgres",
		"/Applications/Postgres.app/Contents/Versions/*/bin/postgres",
	} {
		paths = append(paths, newestFirst(pattern)...)
	}
	found := programs(paths)
	for _, dir := range tools {
		found = append(found, fetchedPostgres(dir)...)
	}
	return slices.DeleteFunc(found, func(p program) bool {
		return !executable(p.path) || !executable(p.sibling("initdb").path)
	})
}

// findRedis lists the Redis and Valkey servers at hand, best first.
func findRedis(tools ...string) []program {
	var paths []string
	if path := os.Getenv("REDIS_SERVER_BIN"); path != "" {
		paths = append(paths, path)
	}
	for _, name := range redisNames() {
		paths = append(paths, onPath(name)...)
		paths = append(paths, "/opt/homebrew/bin/"+name, "/usr/local/bin/"+name, "/usr/bin/"+name)
	}
	found := programs(paths)
	for _, dir := range tools {
		found = append(found, fetchedRedis(dir)...)
	}
	return slices.DeleteFunc(found, func(p program) bool { return !executable(p.path) })
}

func redisNames() []string { return []string{"valkey-server", "redis-server"} }

func onPath(name string) []string {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil
	}
	// initdb lies beside the real file, not beside a link in /usr/bin.
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Base(real) == name {
		path = real
	}
	return []string{path}
}

// newestFirst expands a pattern and sorts by the number where its star is.
func newestFirst(pattern string) []string {
	paths, _ := filepath.Glob(pattern)
	number := func(path string) version {
		v, _ := parseVersion(path[min(strings.Index(pattern, "*"), len(path)):])
		return v
	}
	slices.SortStableFunc(paths, func(a, b string) int { return number(b).compare(number(a)) })
	return paths
}

// programs are installed ones; a path named twice counts once.
func programs(paths []string) []program {
	var found []program
	for _, path := range paths {
		if p := (program{path: path}); !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	return found
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// platform names this machine as the npm packages do, or "" when there is none.
func platform() string {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if arch == "" || (runtime.GOOS != "linux" && runtime.GOOS != "darwin") {
		return ""
	}
	return runtime.GOOS + "-" + arch
}
