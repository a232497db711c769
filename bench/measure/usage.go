package measure

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// OwnUsage is the processor time of this process.
func OwnUsage() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// FamilyUsage is that of a process, of those that it has waited for, and of
// its living descendants.
func FamilyUsage(pid int, children map[int][]int) time.Duration {
	total := ProcessUsage(pid)
	for _, child := range children[pid] {
		total += FamilyUsage(child, children)
	}
	return total
}

// clockTick is the unit of times in /proc, which is the same on all of Linux.
const clockTick = 10 * time.Millisecond

// Fields of /proc/<pid>/stat behind the name, see proc(5).
const (
	statParent      = 1
	statUserTime    = 11 // then system time
	statOwnTimesEnd = 13 // then both of waited-for children
	statTimesEnds   = 15
)

// ProcessUsage is that of a process and of those that it has waited for.
func ProcessUsage(pid int) time.Duration { return usageOf(pid, statTimesEnds) }

// AloneUsage is that of a process without others.
func AloneUsage(pid int) time.Duration { return usageOf(pid, statOwnTimesEnd) }

func usageOf(pid, ends int) time.Duration {
	fields := statFields(pid)
	if len(fields) < statTimesEnds {
		return 0
	}
	var ticks int64
	for _, field := range fields[statUserTime:ends] {
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * clockTick
}

func statFields(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil // it has ended
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.Fields(rest)
}

// Children lists processes by their parent.
func Children() map[int][]int {
	paths, _ := filepath.Glob("/proc/[0-9]*")
	children := map[int][]int{}
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		if fields := statFields(pid); len(fields) > statParent {
			parent, _ := strconv.Atoi(fields[statParent])
			children[parent] = append(children[parent], pid)
		}
	}
	return children
}

// Resident is how much memory of a process is in RAM, in bytes; 0 when it has
// ended.
func Resident(pid int) int64 {
	kilobytes, _ := strconv.ParseInt(strings.TrimSuffix(procField(fmt.Sprintf("/proc/%d/status", pid), "VmRSS"), " kB"), 10, 64)
	return kilobytes << 10
}
