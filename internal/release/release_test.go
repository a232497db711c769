package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestTold(t *testing.T) {
	t.Parallel()
	recorded := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3+dirty"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-11-26T09:00:00Z"}, {Key: "vcs.modified", Value: "true"}}}
	linked := Build{Version: "v2.0.0", Commit: "def", Date: "2026-12-01T00:00:00Z"}
	here := " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	for _, c := range []struct {
		name   string
		info   *debug.BuildInfo
		linked Build
		want   string
	}{
		{"nobody says anything", nil, Build{}, "busu unknown"},
		{"a build without a repository", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, Build{}, "busu unknown"},
		{"a build in a repository", recorded, Build{}, "busu v1.2.3+dirty abc 2026-11-26T09:00:00Z dirty"},
		{"an image", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, linked, "busu v2.0.0 def 2026-12-01T00:00:00Z"},
		{"the linker goes before what is recorded", recorded, Build{Version: "v2.0.0"}, "busu v2.0.0 abc 2026-11-26T09:00:00Z dirty"},
	} {
		if got := told(c.info, c.linked).String(); got != c.want+here {
			t.Errorf("%s: %q, not %q", c.name, got, c.want+here)
		}
	}
}

// The names that the image's build gives to the linker are those of this file:
// the linker does not complain about others.
func TestTheImageNamesWhatTheLinkerSets(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"version", "commit", "date"} {
		if !strings.Contains(string(text), " -X github.com/busuhq/busu/internal/release."+name+"=$") {
			t.Errorf("the Dockerfile does not tell the linker the %s", name)
		}
	}
	program := filepath.Join(t.TempDir(), "busu")
	const flags = "-s -X github.com/busuhq/busu/internal/release.version=v9.8.7 -X github.com/busuhq/busu/internal/release.commit=c0ffee -X github.com/busuhq/busu/internal/release.date=2026-11-26T09:00:00Z"
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-ldflags", flags, "-o", program, "../../cmd/busu").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(program, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "busu v9.8.7 c0ffee 2026-11-26T09:00:00Z go") {
		t.Errorf("%v: %s", err, out)
	}
}
