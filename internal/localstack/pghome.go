package localstack

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// pgHome is a PostgreSQL that runs here: which program, as whom, on what.
type pgHome struct {
	program program
	version version
	id      identity
	place   string // the directory it may use
	dataDir string // place/pg15: a newer server refuses an older one's
}

func (h pgHome) hasData() bool {
	_, err := os.Stat(filepath.Join(h.dataDir, "PG_VERSION"))
	return err == nil
}

// noPostgres is the last word when nothing could be found or fetched.
const noPostgres = `no PostgreSQL %v or newer was found on this machine, and none could be fetched (%s). Either
  install one:   sudo apt-get install postgresql    (macOS: brew install postgresql@17)
  or use yours:  export DATABASE_URL=postgres://user:password@localhost:5432/busu    (docker compose up -d postgres starts one)`

// choosePostgres tries, as whoever may be able to run it, what is at hand,
// then what can be fetched, in each place that can hold its data.
func choosePostgres(ctx context.Context, o Options) (pgHome, error) {
	var reasons []error
	for _, place := range places(o.Dir) {
		home, err := usable(ctx, o, place, findPostgres(toolFolders(o, place)...))
		if err == nil {
			return home, nil
		}
		if ctx.Err() != nil {
			return pgHome{}, context.Cause(ctx)
		}
		reasons = append(reasons, err)
	}
	for _, fetch := range postgresFetches() {
		home, err := fetchUsable(ctx, o, fetch)
		if err == nil {
			return home, nil
		}
		if ctx.Err() != nil {
			return pgHome{}, context.Cause(ctx)
		}
		o.Log.Info("PostgreSQL could not be had that way", "reason", oneLine(err))
		reasons = append(reasons, err)
	}
	return pgHome{}, fmt.Errorf(noPostgres, oldestPostgres.major, oneLine(reasons...))
}

// fetchUsable fetches a PostgreSQL for the first place in which it runs.
func fetchUsable(ctx context.Context, o Options, fetch func(context.Context, string) ([]program, error)) (pgHome, error) {
	var reasons []error
	for _, place := range places(o.Dir) {
		o.Log.Info("fetching PostgreSQL (tens of megabytes, once)", "into", fetchFolder(o, place))
		err := preparePlace(place, o)
		var found []program
		if err == nil {
			found, err = fetch(ctx, fetchFolder(o, place))
		}
		if err != nil {
			return pgHome{}, errors.Join(append(reasons, err)...)
		}
		home, err := usable(ctx, o, place, found)
		if err == nil {
			return home, nil
		}
		reasons = append(reasons, err)
	}
	return pgHome{}, errors.Join(reasons...)
}

// usable picks the first candidate that runs and suits the data in place, or
// else the first that runs.
func usable(ctx context.Context, o Options, place string, candidates []program) (pgHome, error) {
	if len(candidates) == 0 {
		return pgHome{}, errors.New("no program named postgres")
	}
	if err := preparePlace(place, o); err != nil {
		return pgHome{}, err
	}
	var first *pgHome
	var reasons []error
	held := heldData(place)
	for _, p := range candidates {
		home, err := runnable(ctx, p, place, held)
		if err != nil {
			reasons = append(reasons, err)
			continue
		}
		if len(held) == 0 || slices.Contains(held, home.dataDir) {
			return home, nil
		}
		if first == nil {
			first = &home
		}
	}
	if first != nil {
		return *first, nil
	}
	return pgHome{}, errors.Join(reasons...)
}

// runnable finds out as whom p runs in place.
func runnable(ctx context.Context, p program, place string, held []string) (pgHome, error) {
	owned := place
	if len(held) > 0 {
		owned = held[len(held)-1]
	}
	var reasons []error
	for _, id := range identities(owned) {
		v, err := id.tries(ctx, p, place)
		if err != nil {
			reasons = append(reasons, err)
			continue
		}
		if v.compare(oldestPostgres) < 0 {
			return pgHome{}, fmt.Errorf("%s is version %v", p.path, v)
		}
		dataDir := filepath.Join(place, fmt.Sprintf("pg%d", v.major))
		return pgHome{program: p, version: v, id: id, place: place, dataDir: dataDir}, nil
	}
	return pgHome{}, errors.Join(reasons...)
}

// notes tell where the data is when that is not where one would look.
func (h pgHome) notes(o Options) []string {
	var notes []string
	held := heldData(h.place)
	if !h.hasData() && len(held) > 0 {
		notes = append(notes, fmt.Sprintf("The data in %s is of another version than the PostgreSQL %v that was found (%s), which starts empty; install that version to see it again.",
			strings.Join(held, " and "), h.version, h.program.path))
	}
	if h.place != o.Dir {
		notes = append(notes, fmt.Sprintf("PostgreSQL, which refuses to run as root, cannot reach %s as anybody else: its data is in %s.", o.Dir, h.dataDir))
	}
	return notes
}

// heldData lists the data directories in place.
func heldData(place string) []string {
	files, _ := filepath.Glob(filepath.Join(place, "pg[0-9]*", "PG_VERSION"))
	var dirs []string
	for _, file := range files {
		if dir := filepath.Dir(file); !strings.HasSuffix(dir, ".new") {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// places are where the data may lie: the state directory, and for root, whose
// own directories are closed to everybody that PostgreSQL could run as, two
// that are open. One that already holds data comes first.
func places(dir string) []string {
	if os.Geteuid() != 0 {
		return []string{dir}
	}
	name := fmt.Sprintf("%x", sha256.Sum256([]byte(dir)))[:12]
	all := []string{dir, "/var/lib/busu/" + name, "/var/tmp/busu-" + name}
	slices.SortStableFunc(all, func(a, b string) int {
		return min(len(heldData(b)), 1) - min(len(heldData(a)), 1)
	})
	return all
}

// preparePlace makes a place that is not the state directory.
func preparePlace(place string, o Options) error {
	if place == o.Dir {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return err
	}
	return makeOwnDir(place)
}

// toolFolders are where fetched programs may be found: the one that Options
// names, those of the given places, and the cache of the tests.
func toolFolders(o Options, places ...string) []string {
	folders := []string{o.Tools}
	for _, place := range append(places, o.Dir) {
		folders = append(folders, filepath.Join(place, "tools"))
	}
	if cache, err := os.UserCacheDir(); err == nil {
		folders = append(folders, filepath.Join(cache, cacheName))
	}
	return folders
}

// fetchFolder is where to fetch to for a place: beside the data, so that
// whoever can reach the one can reach the other.
func fetchFolder(o Options, place string) string {
	if place == o.Dir {
		return o.Tools
	}
	return filepath.Join(place, "tools")
}

// cacheName is what the user's cache directory holds for us.
const cacheName = "busu/tools"

// oneLine joins reasons, each named once.
func oneLine(reasons ...error) string {
	var lines []string
	for line := range strings.SplitSeq(errors.Join(reasons...).Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
