package measure

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine is where the figures come from.
type Machine struct {
	Cores    int    `json:"cores"`
	CPU      string `json:"cpu"`
	Memory   string `json:"memory"`
	Kernel   string `json:"kernel"`
	Go       string `json:"go"`
	Redis    string `json:"redis"`
	Postgres string `json:"postgres"`
	Load     string `json:"load"` // averages over 1, 5 and 15 minutes before the run
	Commit   string `json:"commit"`
}

// WriteTable is what a report begins with: the commit, when it ran, on what, and
// more rows of a name and what it was.
func (m *Machine) WriteTable(b *strings.Builder, started time.Time, took time.Duration, more ...[2]string) {
	b.WriteString("| | |\n| --- | --- |\n")
	for _, row := range append([][2]string{
		{"commit", m.Commit},
		{"started", started.UTC().Format(time.RFC3339) + ", took " + took.Round(time.Second).String()},
		{"machine", fmt.Sprintf("%d cores (%s), memory %s, Linux %s", m.Cores, m.CPU, m.Memory, m.Kernel)},
	}, more...) {
		fmt.Fprintf(b, "| %s | %s |\n", row[0], row[1])
	}
}

// DescribeMachine is for before anything of ours is a load.
func DescribeMachine(ctx context.Context) *Machine {
	m := &Machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	m.CPU = procField("/proc/cpuinfo", "model name")
	kilobytes, _ := strconv.Atoi(strings.TrimSuffix(procField("/proc/meminfo", "MemTotal"), " kB"))
	m.Memory = fmt.Sprintf("%.0f GiB", float64(kilobytes)/(1<<20))
	m.Kernel = strings.TrimSpace(read("/proc/sys/kernel/osrelease"))
	m.Load = Load()
	m.Commit = git(ctx, "rev-parse", "--short=12", "HEAD")
	if m.Commit != "" && git(ctx, "status", "--porcelain") != "" {
		m.Commit += " with changes"
	}
	return m
}

// Load is the averages over 1, 5 and 15 minutes.
func Load() string {
	averages := strings.Fields(read("/proc/loadavg"))
	return strings.Join(averages[:min(3, len(averages))], " ")
}

// read is empty where there is no such file.
func read(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

func procField(path, name string) string {
	for line := range strings.Lines(read(path)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// git is empty outside of a repository.
func git(ctx context.Context, args ...string) string {
	out, _ := exec.CommandContext(ctx, "git", args...).Output()
	return strings.TrimSpace(string(out))
}
