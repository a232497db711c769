package measure

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Listening is the process that listens on a TCP port of this machine; false
// where there is none that may be seen.
func Listening(port int) (pid int, ok bool) {
	socket := ""
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for line := range strings.Lines(read(table)) {
			// See proc_net_tcp in the kernel's documentation: 0A is LISTEN, the tenth field the inode.
			f := strings.Fields(line)
			if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				socket = "socket:[" + f[9] + "]"
			}
		}
	}
	if socket == "" {
		return 0, false
	}
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, file := range files {
		if to, err := os.Readlink(file); err == nil && to == socket {
			pid, err := strconv.Atoi(strings.Split(file, "/")[2])
			return pid, err == nil
		}
	}
	return 0, false
}
