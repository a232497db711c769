package docs

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestBlocksOf(t *testing.T) {
	t.Parallel()
	document := strings.ReplaceAll(`# A title

'''sh terminal
busu up
'''

'''sh
echo 1
echo 2
'''

'''
1
…
'''

'''sh norun: needs Docker
docker run
'''

A word between.

'''
no output
'''

'''yaml
a: 1
'''

'''sh terminal restart
busu up
'''
`, "'''", "```")
	got, err := blocksOf(document)
	want := []block{
		{line: 3, text: "busu up\n", terminal: true},
		{line: 7, text: "echo 1\necho 2\n", prints: "1\n…\n"},
		{line: 17, text: "docker run\n", norun: "needs Docker"},
		{line: 31, text: "busu up\n", terminal: true, alone: true},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, wrong := range []string{"```sh\nx", "```sh twice\nx\n```", "```sh norun\nx\n```"} {
		if got, err := blocksOf(wrong); err == nil {
			t.Errorf("%q: %+v", wrong, got)
		}
	}
}

func TestPrinted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ promised, output, missing string }{
		{"a b\n", "x\na   b y\n", ""},
		{"a … c", "a b c", ""},
		{"a … c", "c a", "c"},
		{"a … a", "a", "a"},
		{"…", "", ""},
		{"a", "", "a"},
	} {
		if got := printed(c.promised, c.output); got != c.missing {
			t.Errorf("%q in %q: %q is missing, want %q", c.promised, c.output, got, c.missing)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	n := 0
	a := addresses{of: map[string]string{}, free: func() (string, error) { n++; return fmt.Sprint("free", n), nil }}
	got, err := a.in("127.0.0.1:8000 127.0.0.1:8100 127.0.0.1:80001 127.0.0.1:8000/x")
	if err != nil || got != "free1 free2 127.0.0.1:80001 free1/x" {
		t.Errorf("%q, %v", got, err)
	}
}
