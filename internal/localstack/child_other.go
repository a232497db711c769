//go:build !linux

package localstack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// diesWithUs needs Linux. Elsewhere a child outlives a kill -9 of its parent,
// and the next start ends it: see leftovers.
func diesWithUs(*syscall.SysProcAttr, syscall.Signal) {}

// namespaced needs Linux.
func namespaced(*syscall.SysProcAttr, int, int) bool { return false }

// children lists the processes that pid has started.
func children(pid int) []int {
	list, _ := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	var found []int
	for line := range strings.Lines(string(list)) {
		fields := strings.Fields(line)
		if len(fields) != 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		if child, err := strconv.Atoi(fields[0]); err == nil {
			found = append(found, child)
		}
	}
	return found
}

// leftovers finds a predecessor's server by its pid file. The id may long
// belong to another program: only one whose command line names dir counts.
func leftovers(dir, pidFile string, names ...string) []int {
	text, err := os.ReadFile(filepath.Join(dir, pidFile))
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 {
		return nil
	}
	command, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil || !strings.Contains(string(command), dir) {
		return nil
	}
	for _, name := range names {
		if strings.Contains(string(command), name) {
			return []int{pid}
		}
	}
	return nil
}
