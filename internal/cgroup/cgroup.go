// Package cgroup tells what the container, or the unit, that a process runs in
// may use. Linux says so in files: those of control groups, version 2 and 1.
package cgroup

import (
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// Limits are what a process may use. 0: all that there is.
type Limits struct {
	MemoryBytes int64   // of the group, children's included
	CPUs        float64 // processor seconds in a second
}

// none is where version 1 says that there is no limit: a little less than the
// largest number.
const none = math.MaxInt64 - 1<<20

// Read finds the limits of this process. root is the root of the file system;
// where it has no control groups there are no limits. Of a group within groups
// the narrowest counts.
func Read(root fs.FS) Limits {
	var l Limits
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return l
	}
	for line := range strings.Lines(string(groups)) {
		controllers, group, ok := cutGroup(line)
		if !ok {
			continue
		}
		for dir := path.Clean("/" + group); ; dir = path.Dir(dir) {
			l.narrow(root, controllers, dir)
			if dir == "/" {
				break
			}
		}
	}
	return l
}

// cutGroup reads a line such as 0::/system.slice or 4:memory:/docker/1f.
func cutGroup(line string) (controllers []string, group string, ok bool) {
	_, rest, found := strings.Cut(strings.TrimSpace(line), ":")
	names, group, ok := strings.Cut(rest, ":")
	if !found || !ok {
		return nil, "", false
	}
	return strings.Split(names, ","), group, true
}

// narrow takes what one directory says, which need not be there: a container
// sees its own group at the top, whatever its name is outside.
func (l *Limits) narrow(root fs.FS, controllers []string, dir string) {
	for _, c := range controllers {
		switch c {
		case "": // version 2: one tree for all
			l.memory(number(root, "sys/fs/cgroup"+dir, "memory.max"))
			quota, period := pair(text(root, "sys/fs/cgroup"+dir, "cpu.max"))
			l.cpu(quota, period)
		case "memory":
			l.memory(number(root, "sys/fs/cgroup/memory"+dir, "memory.limit_in_bytes"))
		case "cpu":
			l.cpu(number(root, "sys/fs/cgroup/cpu"+dir, "cpu.cfs_quota_us"), number(root, "sys/fs/cgroup/cpu"+dir, "cpu.cfs_period_us"))
		}
	}
}

func (l *Limits) memory(bytes int64) {
	if bytes > 0 && bytes < none && (l.MemoryBytes == 0 || bytes < l.MemoryBytes) {
		l.MemoryBytes = bytes
	}
}

func (l *Limits) cpu(quota, period int64) {
	if quota <= 0 || period <= 0 {
		return
	}
	if cpus := float64(quota) / float64(period); l.CPUs == 0 || cpus < l.CPUs {
		l.CPUs = cpus
	}
}

// text is a file's, or "" where there is none.
func text(root fs.FS, dir, name string) string {
	content, err := fs.ReadFile(root, path.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

// number is a file's, or 0 where there is none, or "max".
func number(root fs.FS, dir, name string) int64 {
	n, _ := strconv.ParseInt(text(root, dir, name), 10, 64)
	return n
}

// pair reads "150000 100000"; "max 100000" has no quota.
func pair(s string) (quota, period int64) {
	first, second, _ := strings.Cut(s, " ")
	quota, _ = strconv.ParseInt(first, 10, 64)
	period, _ = strconv.ParseInt(second, 10, 64)
	return quota, period
}
