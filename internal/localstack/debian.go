package localstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// unpackDebian downloads a package with whatever it needs beyond what is
// installed, and unpacks all of it beneath dir. It needs no root, installs
// nothing and starts no service. apt checks signatures and hashes as always.
func unpackDebian(ctx context.Context, dir, name string) error {
	work := filepath.Join(dir, ".apt")
	defer os.RemoveAll(work)
	config, err := aptConfig(work, false)
	if err != nil {
		return err
	}
	first := aptDownload(ctx, config, name)
	if first != nil && ctx.Err() == nil {
		// The machine's package lists are missing or old: fetch our own.
		first = retryWithOwnLists(ctx, work, name, first)
	}
	if first != nil {
		return first
	}
	return unpackArchives(ctx, filepath.Join(work, "cache/archives"), dir)
}

func retryWithOwnLists(ctx context.Context, work, name string, first error) error {
	config, err := aptConfig(work, true)
	if err != nil {
		return err
	}
	if err := runTool(ctx, "apt-get", "update", "--quiet=2", "--config-file="+config); err != nil {
		return errors.Join(first, err)
	}
	if err := aptDownload(ctx, config, name); err != nil {
		return errors.Join(first, err)
	}
	return nil
}

func aptDownload(ctx context.Context, config, name string) error {
	return runTool(ctx, "apt-get", "install", "--quiet=2", "--yes", "--download-only",
		"--no-install-recommends", "--config-file="+config, name)
}

// aptConfig writes settings that keep apt within work: its cache, and with
// ownLists its package lists too. apt's hooks are switched off, because they
// act on the machine; no lock is needed, because nothing is installed.
func aptConfig(work string, ownLists bool) (string, error) {
	var b strings.Builder
	b.WriteString("#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n")
	b.WriteString("Debug::NoLocking \"1\";\nAPT::Sandbox::User \"\";\nAcquire::http::Timeout \"20\";\nAcquire::Retries \"1\";\n")
	fmt.Fprintf(&b, "Dir::Cache %q;\n", work+"/cache/")
	if ownLists {
		// What is installed is still read from the machine.
		fmt.Fprintf(&b, "Dir::State %q;\nDir::State::status \"/var/lib/dpkg/status\";\n", work+"/state/")
	}
	err := errors.Join(
		os.MkdirAll(filepath.Join(work, "cache/archives/partial"), 0o755),
		os.MkdirAll(filepath.Join(work, "state/lists/partial"), 0o755))
	if err != nil {
		return "", err
	}
	path := filepath.Join(work, "apt.conf")
	return path, os.WriteFile(path, []byte(b.String()), 0o644)
}

// unpackArchives unpacks all packages except the C library: a program must
// use the one that the machine's loader belongs to.
func unpackArchives(ctx context.Context, archives, dir string) error {
	files, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("apt-get downloaded nothing: the package is installed, but its program was not found")
	}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "libc6_") || strings.HasPrefix(filepath.Base(file), "libc-bin_") {
			continue
		}
		if err := runTool(ctx, "dpkg-deb", "--extract", file, dir); err != nil {
			return err
		}
	}
	return nil
}
