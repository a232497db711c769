package manual_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/busuhq/busu/internal/manual"
)

// tool is a command line with everything that is told apart.
type tool struct {
	Keys struct {
		List struct {
			Quiet bool   `help:"Say 'less': it's enough. Or nothing." short:"q"`
			Order string `enum:"name,age" default:"name" help:"What goes first."`
			File  string `help:"Where to write." placeholder:"FILE"`
		} `cmd:"" help:"List them."`
		Drop struct {
			Name string `arg:"" help:"Which one: … or λ."`
		} `cmd:"" help:"Drop one."`
	} `cmd:"" help:"Make and drop keys."`
	Shell struct {
		Kind string `arg:"" enum:"sh,ksh" help:"Which shell."`
	} `cmd:"" help:"Enter a shell."`
	Secret struct{} `cmd:"" hidden:"" help:"Not for everybody."`
}

func (tool) Help() string { return "" }

func model(t *testing.T) *kong.Application {
	t.Helper()
	k, err := kong.New(new(tool), kong.Name("tool"), kong.Description("Holds keys.\n\nExample:\n\n  tool keys list\n  .tool 'x' \\y"))
	if err != nil {
		t.Fatal(err)
	}
	return k.Model
}

func script(t *testing.T, shell string) string {
	t.Helper()
	text, err := manual.Completion(shell, model(t))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// bash itself says what it would offer.
func TestBashOffers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(file, []byte(script(t, "bash")), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"tool ":                              "keys shell",
		"tool k":                             "keys",
		"tool s":                             "shell", // not what is hidden
		"tool keys ":                         "list drop",
		"tool keys l":                        "list",
		"tool keys list -":                   "--help -h --quiet -q --order --file",
		"tool keys list --f":                 "--file",
		"tool keys list --order ":            "name age",
		"tool keys list --order a":           "age",
		"tool keys list --file ":             "", // files are the shell's affair
		"tool --help keys ":                  "list drop",
		"tool keys list --file shell --or":   "--order", // the value of a flag is no command
		"tool keys list --quiet --order age": "age",
		"tool shell ":                        "sh ksh",
		"tool keys drop ":                    "",
		"tool nonsense ":                     "keys shell",
	} {
		words := strings.Split(line, " ")
		ask := `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tool; echo "${COMPREPLY[*]}"`
		out, err := exec.Command("bash", append([]string{"-c", ask, "bash", file}, words...)...).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q: offered is %q, not %q (%v)", line, got, want, err)
		}
	}
}

// The others' scripts hold every command, flag and value, and where a shell is
// there, it finds no fault with its script.
func TestScriptsHoldEverything(t *testing.T) {
	t.Parallel()
	for shell, holds := range map[string][]string{
		"bash": {"'tool keys list'", "--order", "name age"},
		"zsh":  {"#compdef tool", "'list:List them'", `'--quiet:Say '\''less'\'': it'\''s enough'`, "values=('name' 'age')", "'tool keys list') at='tool keys list'"},
		"fish": {`complete -c tool -f -n '__tool_at \'tool keys\'' -a 'list' -d 'List them'`, "-l order -x -a 'name age' -d 'What goes first'", "-s q", "-l file -r"},
	} {
		text := script(t, shell)
		for _, part := range holds {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q is missing in\n%s", shell, part, text)
			}
		}
		if strings.Contains(text, "secret") {
			t.Errorf("%s offers what is hidden", shell)
		}
		sound(t, shell, text)
	}
	if _, err := manual.Completion("tcsh", model(t)); err == nil || !strings.Contains(err.Error(), "bash, fish, zsh") {
		t.Errorf("a shell that is not known: %v", err)
	}
}

// sound lets the shell parse its script, where it is installed.
func sound(t *testing.T, shell, text string) {
	t.Helper()
	program, err := exec.LookPath(shell)
	if err != nil {
		return // bash, which the tests cannot do without, is asked for more above
	}
	parse := exec.Command(program, "-n", "/dev/stdin")
	parse.Stdin = strings.NewReader(text)
	if out, err := parse.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", shell, err, out)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	page := manual.Page(model(t), `tool "1"`, "2026-11-26")
	lines := strings.Split(page, "\n")
	for _, want := range []string{
		`.TH "TOOL" "1" "2026\-11\-26" "tool \(dq1\(dq" "User commands"`, `tool \- holds keys`,
		`.SS "tool keys list"`, `.SS "tool keys drop <name>"`, `.B "\-q, \-\-quiet"`, `.B "\-\-file=FILE"`,
		`  .tool \(aqx\(aq \ey`, `Say \(aqless\(aq: it\(aqs enough. Or nothing.`, `Which one: \[u2026] or \[u03BB].`, ".EX", ".EE",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is missing in\n%s", want, page)
		}
	}
	if strings.Contains(page, "ecret") || strings.Count(page, ".EX\n") != strings.Count(page, ".EE\n") {
		t.Errorf("what is hidden is shown, or an example is not closed:\n%s", page)
	}
}
