package chrome

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// names are those that Chromium and its kin have on a PATH.
var names = []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless_shell"}

// npmPackage holds a headless Chromium for Linux on x86-64 with the libraries
// that small machines lack.
const npmPackage = "@sparticuz/chromium@147.0.0"

// Find gives the program of a Chromium: that of CHROMIUM, one on the PATH, one
// fetched before into tools, or one fetched now: from Debian's packages where
// we are root, else from npm into tools, which needs Node and installs nothing.
func Find(ctx context.Context, tools string) (string, error) {
	if program := os.Getenv("CHROMIUM"); program != "" {
		return program, nil
	}
	if program, ok := onPath(); ok {
		return program, nil
	}
	if text, err := os.ReadFile(filepath.Join(tools, "program")); err == nil {
		return string(text), nil
	}
	var errs []error
	if os.Geteuid() == 0 {
		for _, name := range []string{"chromium-headless-shell", "chromium"} {
			errs = append(errs, install(ctx, name))
			if program, ok := onPath(); ok {
				return program, nil
			}
		}
	}
	program, err := fromNPM(ctx, tools)
	if err == nil {
		return program, nil
	}
	return "", fmt.Errorf("no Chromium: install one, or name its program in CHROMIUM: %w", errors.Join(append(errs, err)...))
}

func onPath() (string, bool) {
	for _, name := range names {
		if program, err := exec.LookPath(name); err == nil {
			return program, true
		}
	}
	return "", false
}

func install(ctx context.Context, name string) error {
	if err := run(ctx, nil, "apt-get", "update", "--quiet=2"); err != nil {
		return err
	}
	return run(ctx, []string{"DEBIAN_FRONTEND=noninteractive"}, "apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", name)
}

// fromNPM unpacks the browser and its libraries beneath tools, and writes down
// where its program is when all is there.
func fromNPM(ctx context.Context, tools string) (string, error) {
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return "", err
	}
	if err := run(ctx, nil, "npm", "install", "--prefix", tools, "--no-audit", "--no-fund", "--no-save", "--loglevel=error", npmPackage); err != nil {
		return "", err
	}
	// Where it takes the machine for a bare one, it unpacks libraries, too, into
	// the folder for temporary files.
	unpack := exec.CommandContext(ctx, "node", "--input-type=module", "-e",
		`import chromium from "@sparticuz/chromium"; process.stdout.write(await chromium.executablePath());`)
	unpack.Dir, unpack.Stderr = tools, os.Stderr
	unpack.Env = append(os.Environ(), "TMPDIR="+tools, "AWS_EXECUTION_ENV=AWS_Lambda_nodejs22.x", "AWS_LAMBDA_JS_RUNTIME=nodejs22.x")
	program, err := unpack.Output()
	if err != nil {
		return "", fmt.Errorf("unpack %s: %w", npmPackage, err)
	}
	return string(program), os.WriteFile(filepath.Join(tools, "program"), program, 0o644)
}

func run(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
