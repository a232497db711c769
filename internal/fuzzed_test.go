package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// decodes are the calls by which bytes become values. Whoever makes one of them
// has a decoder.
var decodes = map[string]*regexp.Regexp{
	"encoding/json":                   regexp.MustCompile(`^(Unmarshal|NewDecoder)$`),
	"github.com/tidwall/gjson":        regexp.MustCompile(`^(Parse|ParseBytes|Get|GetBytes)$`),
	"encoding/binary":                 regexp.MustCompile(`^(Uvarint|Varint|ReadUvarint|Read)$`),
	"encoding/pem":                    regexp.MustCompile(`^Decode$`),
	"encoding/csv":                    regexp.MustCompile(`^NewReader$`),
	"github.com/goccy/go-yaml/parser": regexp.MustCompile(`^ParseBytes$`),
}

// notFuzzed are rooms with a decoder and without a fuzz test, and why that is
// well.
var notFuzzed = map[string]string{
	"admin":                 "reads a level of the log from who has the key of a listener of its own",
	"apifuzz":               "test support",
	"certificatetest":       "test support",
	"chaos":                 "a tool of developers",
	"contract":              "test support",
	"demo":                  "reads answers of busu",
	"gateway":               "asks whether an answer is JSON at all, and keeps nothing of it",
	"localstack":            "reads what it has unpacked itself",
	"postgres":              "reads columns that it has written, through the codecs of other rooms",
	"provider/providertest": "test support",
	"replay":                "reads a file that an operator names on the command line",
	"routellm":              "reads a data set that an operator names on the command line",
}

// TestDecodersAreFuzzed: a room that reads bytes has a fuzz test, or a reason.
func TestDecodersAreFuzzed(t *testing.T) {
	t.Parallel()
	decoders, fuzzed := map[string]string{}, map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		room := filepath.ToSlash(filepath.Dir(path))
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if !strings.HasSuffix(path, "_test.go") {
			if call := decoderIn(file); call != "" {
				decoders[room] = call
			}
			return nil
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Fuzz") {
				fuzzed[room] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(decoders) < 20 {
		t.Fatalf("only %d rooms have decoders: the search is wrong", len(decoders))
	}
	for _, room := range slices.Sorted(maps.Keys(decoders)) {
		if !fuzzed[room] && notFuzzed[room] == "" {
			t.Errorf("%s reads bytes (%s) and has no fuzz test: write one, with a property (docs/security.md)", room, decoders[room])
		}
	}
	for room := range notFuzzed {
		if decoders[room] == "" || fuzzed[room] {
			t.Errorf("%s is excused without need: take it out of notFuzzed", room)
		}
	}
}

// decoderIn is a call of a file that reads bytes, "" for none.
func decoderIn(file *ast.File) (found string) {
	of := map[string]*regexp.Regexp{}
	for _, i := range file.Imports {
		name := strings.Trim(i.Path.Value, `"`)
		if calls := decodes[name]; calls != nil {
			as := name[strings.LastIndexByte(name, '/')+1:]
			if i.Name != nil {
				as = i.Name.Name
			}
			of[as] = calls
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if from, ok := s.X.(*ast.Ident); ok && of[from.Name] != nil && of[from.Name].MatchString(s.Sel.Name) {
				found = from.Name + "." + s.Sel.Name
			}
		}
		return true
	})
	return found
}
