package localstack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// As root this starts the stack as nobody; otherwise as whoever runs it.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	uid := os.Geteuid()
	var wrap func(*exec.Cmd)
	if uid == 0 {
		nobody, ok := lookup("nobody")
		if !ok {
			t.Fatal("no user nobody")
		}
		uid = nobody.uid
		if err := os.Chown(dir, nobody.uid, nobody.gid); err != nil {
			t.Fatal(err)
		}
		wrap = func(cmd *exec.Cmd) {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(nobody.uid), Gid: uint32(nobody.gid)}}
			// Nothing of root's is at hand: programs are found or fetched anew.
			cmd.Env = append(cmd.Env, "HOME=/nonexistent", "LOCALSTACK_TEST_TOOLS="+filepath.Join(dir, "tools"))
		}
	}
	_, stdin, s := supervisor(t, filepath.Join(dir, "state"), wrap)
	put(t, s.DatabaseURL, s.RedisURL)
	for _, pid := range []int{s.Postgres, s.Redis} {
		if owner, ok := ownerOf("/proc/" + strconv.Itoa(pid)); !ok || owner.uid != uid {
			t.Errorf("process %d runs as user %d, not %d", pid, owner.uid, uid)
		}
	}
	stdin.Close()
	eventually(t, func() error { return gone(filepath.Join(dir, "state")) })
}

// Root's own directories are closed to every user PostgreSQL could run as.
func TestStateBeneathClosedParent(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(openDir(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: filepath.Join(closed, "state"), Postgres: true, Redis: true, Ephemeral: true}
	s := start(t, o)
	put(t, s.DatabaseURL, s.RedisURL)
	if len(heldData(o.Dir)) != 1 && len(s.Notes) == 0 {
		t.Error("the data is elsewhere, and nothing says so")
	}
}

// As root of a namespace that allows no further one, as in a container, only
// a directory elsewhere remains.
func TestClosedParentWithoutNamespaces(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("only root has this problem")
		return
	}
	closed := filepath.Join(openDir(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, "state")
	t.Cleanup(func() {
		for _, place := range places(dir) {
			os.RemoveAll(place)
		}
		_ = os.Remove("/var/lib/busu") // if nobody else uses it
	})
	_, stdin, s := supervisor(t, dir, func(cmd *exec.Cmd) {
		shell := exec.Command("sh", "-c", `echo 0 >/proc/sys/user/max_user_namespaces && exec "$0"`, cmd.Path)
		cmd.Path, cmd.Args = shell.Path, shell.Args
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65536}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65536}},

			GidMappingsEnableSetgroups: true,
		}
	})
	put(t, s.DatabaseURL, s.RedisURL)
	if len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "its data is in /var/") {
		t.Errorf("notes: %q", s.Notes)
	}
	stdin.Close()
	eventually(t, func() error { return gone(places(dir)[0]) })
}
