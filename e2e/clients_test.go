package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// environment tells clients in other languages where busu is.
func environment(more ...string) []string {
	return append(append(os.Environ(), "BUSU_URL="+stack.busu, "VENDOR_URL="+stack.vendor), more...)
}

// command runs a program and fails the test with what it printed.
func command(t *testing.T, dir string, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	t.Logf("%s", out)
}

// need finds a program, or has Debian's packages installed where that is
// allowed.
func need(t *testing.T, program string, packages ...string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Geteuid() != 0 {
		t.Fatalf("%s is missing: install %v", program, packages)
	}
	command(t, ".", os.Environ(), "apt-get", "update")
	command(t, ".", append(os.Environ(), "DEBIAN_FRONTEND=noninteractive"), "apt-get",
		append([]string{"install", "-y", "--no-install-recommends"}, packages...)...)
}

// TestNode runs the clients in JavaScript: openai, @anthropic-ai/sdk, ai.
func TestNode(t *testing.T) {
	t.Parallel()
	need(t, "npm", "nodejs", "npm")
	command(t, "js", os.Environ(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	tests, err := filepath.Glob("js/*.test.mjs")
	if err != nil || len(tests) == 0 {
		t.Fatal("no tests", err)
	}
	for _, file := range tests {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			command(t, "js", environment(), "node", "--test", filepath.Base(file))
		})
	}
	t.Run("examples/typescript", func(t *testing.T) {
		t.Parallel()
		typescript(t, "../examples/typescript/client.mts")
	})
}

// typescript checks a program, translates it and runs it, with the packages
// beside the tests.
func typescript(t *testing.T, file string) {
	t.Helper()
	packages, err := filepath.Abs("js/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(file)
	dir, name := t.TempDir(), filepath.Base(file)
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, name), source, 0o600),
		os.Symlink(packages, filepath.Join(dir, "node_modules"))); err != nil {
		t.Fatal(err)
	}
	command(t, dir, os.Environ(), filepath.Join(packages, ".bin/tsc"), "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck",
		"--types", "node", name)
	command(t, dir, environment(), "node", strings.TrimSuffix(name, ".mts")+".mjs")
}

// TestPython runs OpenAI's client in Python.
func TestPython(t *testing.T) {
	t.Parallel()
	need(t, "python3", "python3", "python3-pip")
	packages, err := filepath.Abs("../.local/e2e/python")
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("python3", "-m", "pip", "--version").Run(); err != nil {
		t.Fatal("python3 has no pip: install python3-pip")
	}
	command(t, "python", os.Environ(), "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-conflicts",
		"--root-user-action=ignore", "--upgrade", "--target", packages, "-r", "requirements.txt")
	command(t, "python", environment("PYTHONPATH="+packages), "python3", "-m", "unittest", "-v", "test_openai")
	command(t, "../examples/python", environment("PYTHONPATH="+packages), "python3", "client.py")
	command(t, "../examples/savings", environment(), "python3", "report.py", "7d")
}

// TestGoExample runs the client that needs nothing but the standard library.
func TestGoExample(t *testing.T) {
	t.Parallel()
	command(t, "..", environment(), "go", "run", "./examples/go")
}
