package localstack

import (
	"fmt"
	"os"
	"path/filepath"
)

// CacheDir makes and names the directory in which programs fetched for tests
// survive from run to run: in the user's cache, or, for a user without a
// home, among the temporary files.
func CacheDir() (string, error) {
	if dir, err := os.UserCacheDir(); err == nil {
		dir = filepath.Join(dir, cacheName)
		if err := os.MkdirAll(dir, 0o755); err == nil {
			return dir, nil
		}
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("busu-tools-%d", os.Geteuid()))
	return dir, makeOwnDir(dir)
}

// makeOwnDir makes a directory among those of other users, and refuses one
// that somebody else has made or can write.
func makeOwnDir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err == nil {
		return nil
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if owner, ok := ownerOf(dir); !ok || owner.uid != os.Geteuid() || !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s belongs to somebody else", dir)
	}
	return nil
}
