package localstack

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// diesWithUs asks the kernel to send the child sig when we die, however we do.
func diesWithUs(attr *syscall.SysProcAttr, sig syscall.Signal) {
	attr.Pdeathsig = sig
}

// namespaced starts the child as uid:gid of a user namespace of its own,
// which outside of it are the user and group we run as.
func namespaced(attr *syscall.SysProcAttr, uid, gid int) bool {
	attr.Cloneflags |= syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: os.Getegid(), Size: 1}}
	return true
}

// children lists the processes that pid has started.
func children(pid int) []int {
	var found []int
	for _, candidate := range processes() {
		if parent, ok := parentOf(candidate); ok && parent == pid {
			found = append(found, candidate)
		}
	}
	return found
}

// leftovers lists the running programs of these names that work in dir: both
// servers change into their data directory. pidFile is not needed here, and
// would miss the children of a server that is gone.
func leftovers(dir, _ string, names ...string) []int {
	var found []int
	for _, pid := range processes() {
		proc := "/proc/" + strconv.Itoa(pid)
		cwd, err := os.Readlink(proc + "/cwd")
		if err != nil || cwd != dir {
			continue
		}
		comm, err := os.ReadFile(proc + "/comm")
		if err == nil && slices.Contains(names, strings.TrimSpace(string(comm))) && !zombie(pid) {
			found = append(found, pid)
		}
	}
	return found
}

func processes() []int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	pids := make([]int, 0, len(dirs))
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func parentOf(pid int) (int, bool) {
	fields := statFields(pid)
	if len(fields) < 2 {
		return 0, false
	}
	parent, err := strconv.Atoi(fields[1])
	return parent, err == nil
}

func zombie(pid int) bool {
	fields := statFields(pid)
	return len(fields) > 0 && fields[0] == "Z"
}

// statFields are those of /proc/pid/stat after the name, which may itself
// hold spaces and brackets: state, parent, …
func statFields(pid int) []string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}
