package localstack

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// identity is whom PostgreSQL runs as. It refuses to run as root, so that
// root starts it as somebody else.
type identity struct {
	drop      bool // give up root for uid and gid
	namespace bool // be uid and gid in a namespace, and root's files outside
	uid, gid  int
}

// attr is what a child of this identity starts with.
func (id identity) attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the parent alone
	switch {
	case id.namespace:
		namespaced(attr, id.uid, id.gid)
	case id.drop:
		attr.Credential = &syscall.Credential{Uid: uint32(id.uid), Gid: uint32(id.gid)}
	}
	return attr
}

// own gives path and all beneath it to the identity.
func (id identity) own(path string) error {
	uid, gid := os.Geteuid(), os.Getegid()
	if id.drop {
		uid, gid = id.uid, id.gid
	}
	if owner, ok := ownerOf(path); !ok || owner.uid == uid {
		return nil
	}
	return filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, uid, gid)
	})
}

// identities are whom to try, best first. dataDir's owner is tried before
// others, so that the data keeps its owner.
func identities(dataDir string) []identity {
	if os.Geteuid() != 0 {
		return []identity{{}}
	}
	var ids []identity
	if owner, ok := ownerOf(dataDir); ok && owner.uid != 0 {
		ids = append(ids, owner)
	}
	for _, name := range []string{"postgres", "nobody"} {
		if id, ok := lookup(name); ok {
			ids = append(ids, id)
		}
	}
	if nobody, ok := lookup("nobody"); ok && namespaced(&syscall.SysProcAttr{}, 0, 0) {
		ids = append(ids, identity{namespace: true, uid: nobody.uid, gid: nobody.gid})
	}
	return ids
}

func ownerOf(path string) (identity, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return identity{}, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}, false
	}
	return identity{drop: true, uid: int(stat.Uid), gid: int(stat.Gid)}, true
}

func lookup(name string) (identity, bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return identity{}, false
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	return identity{drop: true, uid: uid, gid: gid}, errUID == nil && errGID == nil && uid > 0
}

// tries runs p as the identity with dir as its working directory and returns
// its version. It finds out everything at once that could be in the way: a
// parent directory that is closed, a forbidden namespace, a missing library.
func (id identity) tries(ctx context.Context, p program, dir string) (version, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, "--version")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, p.environ(), id.attr()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return version{}, fmt.Errorf("%s: %w %.200s", p.path, err, out)
	}
	return parseVersion(string(out))
}
