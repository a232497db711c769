package localstack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fetched fails unless p runs; on a machine without apt the fetch must say
// that this is what is missing.
func fetched(t *testing.T, p program, err error) {
	t.Helper()
	if _, missing := exec.LookPath("apt-get"); missing != nil {
		if err == nil || !strings.Contains(err.Error(), "apt-get is not on this machine") {
			t.Errorf("without apt-get: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	v, err := identity{}.tries(t.Context(), p, "/")
	if err != nil || v.compare(oldestRedis) < 0 {
		t.Errorf("%s is version %v, %v", p.path, v, err)
	}
}

func TestFetchRedis(t *testing.T) {
	t.Parallel()
	tools := filepath.Join(t.TempDir(), "tools")
	found, err := fetchRedis(t.Context(), tools)
	fetched(t, found[0], err)
	left, err := filepath.Glob(filepath.Join(tools, "*"))
	if err != nil || len(left) > 2 {
		t.Errorf("the fetch leaves %v, %v", left, err)
	}
}

func TestFetchWithoutPackageLists(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	work := filepath.Join(dir, ".apt")
	err := retryWithOwnLists(t.Context(), work, "redis-server", errors.New("no package lists"))
	if err == nil {
		err = unpackArchives(t.Context(), filepath.Join(work, "cache/archives"), dir)
	}
	fetched(t, program{path: filepath.Join(dir, "usr/bin/redis-server"), libs: libraryPath(dir)}, err)
}

func TestFetchIsDoneOnce(t *testing.T) {
	t.Parallel()
	tools := t.TempDir()
	var done atomic.Int32
	var all sync.WaitGroup
	since := time.Now()
	for range 4 {
		all.Go(func() {
			err := fetch(t.Context(), tools, "thing", since, func(_ context.Context, dir string) error {
				done.Add(1)
				return os.WriteFile(filepath.Join(dir, "file"), []byte("whole"), 0o600)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if text, err := os.ReadFile(filepath.Join(tools, "thing/file")); string(text) != "whole" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if n := done.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

func TestHalfAFetchIsNeverSeen(t *testing.T) {
	t.Parallel()
	tools := t.TempDir()
	broken := errors.New("the line is down")
	err := fetch(t.Context(), tools, "thing", time.Now(), func(_ context.Context, dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "half"), nil, 0o600), broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("the fetch said %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(tools, "thing*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestFailedFetchIsNotRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	o := Options{Tools: t.TempDir()}
	if err := os.WriteFile(filepath.Join(o.Tools, "redis.failed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := fetchRedisOnce(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "redis.failed to try again") {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// npmPackage makes a package as npm would.
func npmPackage(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	w := tar.NewWriter(zipped)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "package.tgz")
	if err := errors.Join(w.Close(), zipped.Close(), os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNpmPackage(t *testing.T) {
	t.Parallel()
	archive := npmPackage(t, map[string]string{
		"package/native/lib/libpq.so.5.18": "library",
		"package/native/pg-symlinks.json":  `[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so.5"}]`,
	})
	dir := t.TempDir()
	if err := untar(archive, dir); err != nil {
		t.Fatal(err)
	}
	if err := linkLibraries(dir); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "native/lib/libpq.so.5")); string(text) != "library" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

func TestNpmPackageStaysWithinItsDirectory(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"package/../../escaped", "/escaped", "elsewhere/file"} {
		if err := untar(npmPackage(t, map[string]string{name: "x"}), t.TempDir()); err == nil {
			t.Errorf("%q is unpacked", name)
		}
	}
	dir := t.TempDir()
	archive := npmPackage(t, map[string]string{"package/native/pg-symlinks.json": `[{"source":"native/a","target":"../b"}]`})
	if err := errors.Join(untar(archive, dir), linkLibraries(dir)); err == nil {
		t.Error("a link outside is made")
	}
}

func TestNpmIntegrity(t *testing.T) {
	t.Parallel()
	archive := npmPackage(t, map[string]string{"package/file": "x"})
	text, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(text)
	if err := checkIntegrity(archive, base64.StdEncoding.EncodeToString(sum[:])); err != nil {
		t.Error(err)
	}
	sum[0]++
	if err := checkIntegrity(archive, base64.StdEncoding.EncodeToString(sum[:])); err == nil {
		t.Error("a changed file passes")
	}
}
