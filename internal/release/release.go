// Package release says which build of busu runs: its version, and of which
// commit it was made.
package release

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// What the linker is told where there is no repository to look at, as in the
// image: -ldflags "-X github.com/busuhq/busu/internal/release.version=v1.2.3".
// Nothing else sets them.
var version, commit, date string

// unnamed is what Go calls a build of which it knows neither tag nor commit.
const unnamed = "(devel)"

// Build is one build.
type Build struct {
	Version  string `json:"version"`          // such as v1.2.3, of Go's making where no tag says it, or unknown
	Commit   string `json:"commit,omitempty"` // "" where nobody knows
	Date     string `json:"date,omitempty"`   // of the commit, RFC 3339
	Dirty    bool   `json:"dirty"`            // files had been changed since the commit
	Go       string `json:"go"`
	Platform string `json:"platform"` // such as linux/amd64
}

// Current is the build that runs.
func Current() Build {
	info, _ := debug.ReadBuildInfo()
	return told(info, Build{Version: version, Commit: commit, Date: date})
}

// told is a build as the linker says, and where it says nothing, as Go has
// recorded it in info, which may be nil.
func told(info *debug.BuildInfo, linked Build) Build {
	b := linked
	b.Go, b.Platform = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
	if info == nil {
		b.Version = cmp.Or(b.Version, "unknown")
		return b
	}
	if info.Main.Version != unnamed {
		b.Version = cmp.Or(b.Version, info.Main.Version)
	}
	b.Version = cmp.Or(b.Version, "unknown")
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = cmp.Or(b.Commit, s.Value)
		case "vcs.time":
			b.Date = cmp.Or(b.Date, s.Value)
		case "vcs.modified":
			b.Dirty = s.Value == "true"
		}
	}
	return b
}

// String is the build on one line.
func (b Build) String() string {
	s := "busu " + b.Version
	if b.Commit != "" {
		s += " " + b.Commit
	}
	if b.Date != "" {
		s += " " + b.Date
	}
	if b.Dirty {
		s += " dirty"
	}
	return s + " " + b.Go + " " + b.Platform
}
