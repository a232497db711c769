package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// The limits keep a wrong path (a log, a dump) and hostile nesting from the
// parser, whose memory grows with the square of the depth.
const (
	maxFileBytes = 256 << 10
	maxLineBytes = 2048
	maxBrackets  = 32 // open at the same time
)

// document is busu.yaml while it is read: values report what is wrong with
// them, and reading goes on.
type document struct {
	file     string
	given    []string // the paths of all known keys, such as routing.strategy
	problems Problems
}

// value is a node of the document, with the path that leads to it.
type value struct {
	doc  *document
	path string // such as routing.strategy or models[2].tier
	line int
	node ast.Node
}

// field is one key that a mapping may have, and what to do with its value.
type field struct {
	name string
	read func(value)
}

// parse gives the top of the document; ok is false when there is nothing to
// read, because the file is empty or not YAML.
func (d *document) parse(text []byte) (top value, ok bool) {
	if !d.fits(text) {
		return value{}, false
	}
	file, err := parseYAML(bytes.TrimPrefix(text, []byte("\uFEFF")))
	if err != nil {
		d.syntax(err)
		return value{}, false
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.NullType && doc.Body.Type() != ast.CommentType {
			bodies = append(bodies, doc.Body)
		}
	}
	if len(bodies) == 0 {
		return value{}, false
	}
	if len(bodies) > 1 {
		d.add(lineOf(bodies[1], 1), "a second YAML document begins here", "keep one, without ---")
	}
	return value{doc: d, line: lineOf(bodies[0], 1), node: bodies[0]}, true
}

// fits reports what no configuration needs: size, long lines, deep nesting.
func (d *document) fits(text []byte) bool {
	const hint = "is BUSU_CONFIG the right path?"
	if len(text) > maxFileBytes {
		d.add(1, fmt.Sprintf("the file is larger than %d KiB", maxFileBytes>>10), hint)
		return false
	}
	line, start, depth := 1, 0, 0
	for i, c := range text {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(depth-1, 0)
		case '\n':
			line, start = line+1, i+1
		}
		if i-start >= maxLineBytes || depth > maxBrackets {
			d.add(line, fmt.Sprintf("the line is longer than %d bytes, or more than %d brackets are open", maxLineBytes, maxBrackets), hint)
			return false
		}
	}
	return true
}

// parseYAML turns a panic of the parser, which has had some on odd input, into
// an error: a configuration must never end the process with a stack trace.
func parseYAML(text []byte) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it cannot be read as YAML")
		}
	}()
	return parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
}

// syntax reports why the file is not YAML. The parser's own text is left out
// where it would quote the file, which may hold a key that does not belong there.
func (d *document) syntax(err error) {
	line, message := 1, "it cannot be read as YAML"
	var located yaml.Error
	if errors.As(err, &located) {
		message = "not valid YAML: " + withoutQuotes(located.GetMessage())
		if token := located.GetToken(); token != nil && token.Position != nil {
			line = max(token.Position.Line, 1)
		}
	}
	d.add(line, message, "check the indentation, colons and quotes around this line")
}

// withoutQuotes keeps the first line of a message of the parser, without what
// it quotes from the file.
func withoutQuotes(message string) string {
	message, _, _ = strings.Cut(message, "\n")
	message, _, _ = strings.Cut(message, ": ")
	return quoted.ReplaceAllString(message, "…")
}

// quoted is text between double quotes; between single ones the parser quotes
// only signs of YAML's own.
var quoted = regexp.MustCompile(`".*"?`)

func (d *document) add(line int, message, hint string) {
	d.problems = append(d.problems, Problem{File: d.file, Line: line, Message: message, Hint: hint})
}

// wrong reports a mistake at v.
func (v value) wrong(message, hint string) { v.doc.add(v.line, message, hint) }

// lineOf is where a node begins, or fallback for one that does not say.
func lineOf(n ast.Node, fallback int) int {
	if token := n.GetToken(); token != nil && token.Position != nil && token.Position.Line > 0 {
		return token.Position.Line
	}
	return fallback
}

// object reads a mapping: the fields in their order, not the file's, so that
// a later field can rely on an earlier one. Unknown and repeated keys are
// reported. It gives the values that were there, nil when v is no mapping.
func (v value) object(fields ...field) map[string]value {
	entries, ok := v.entries()
	if !ok {
		return nil
	}
	found := make(map[string]value, len(entries))
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	for _, entry := range entries {
		key, child := v.child(entry)
		switch before, twice := found[key]; {
		case twice:
			child.wrong(fmt.Sprintf("%q is given twice%s", key, v.under()), fmt.Sprintf("the first is on line %d; keep one", before.line))
		case !slices.Contains(names, key):
			child.wrong(fmt.Sprintf("unknown key %q%s", shorten(key), v.under()), did(key, names))
		default:
			found[key] = child
			v.doc.given = append(v.doc.given, child.path)
		}
	}
	for _, f := range fields {
		if child, given := found[f.name]; given {
			f.read(child)
		}
	}
	return found
}

// entries lists the pairs of a mapping; a value left empty has none.
func (v value) entries() ([]*ast.MappingValueNode, bool) {
	switch node := v.node.(type) {
	case *ast.MappingNode:
		return node.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{node}, true
	case *ast.NullNode:
		return nil, true
	}
	v.wrong(v.name()+" must be a mapping of keys, but is "+v.kind(), "write its keys indented below it")
	return nil, false
}

func (v value) child(entry *ast.MappingValueNode) (string, value) {
	key := ""
	if token := entry.Key.GetToken(); token != nil {
		key = token.Value
	}
	path := key
	if v.path != "" {
		path = v.path + "." + key
	}
	return key, value{doc: v.doc, path: path, line: lineOf(entry.Key, v.line), node: entry.Value}
}

// list reads a sequence item by item and counts them; a value left empty has none.
func (v value) list(read func(value)) int {
	switch node := v.node.(type) {
	case *ast.SequenceNode:
		for i, item := range node.Values {
			read(value{doc: v.doc, path: fmt.Sprintf("%s[%d]", v.path, i), line: itemLine(node, i, v.line), node: item})
		}
		return len(node.Values)
	case *ast.NullNode:
	default:
		v.wrong(v.name()+" must be a list, but is "+v.kind(), "begin each item with a dash on a line of its own")
	}
	return 0
}

// itemLine is where an item of a sequence begins: for a mapping its first key.
func itemLine(node *ast.SequenceNode, i, fallback int) int {
	switch item := node.Values[i].(type) {
	case *ast.MappingNode:
		if len(item.Values) > 0 {
			return lineOf(item.Values[0].Key, fallback)
		}
	case *ast.MappingValueNode:
		return lineOf(item.Key, fallback)
	case nil:
		return fallback
	}
	return lineOf(node.Values[i], fallback)
}

// pairs reads a mapping whose keys are the operator's own. They all have the
// path of the mapping: a key may be a secret in the wrong place.
func (v value) pairs(read func(key string, v value)) {
	entries, _ := v.entries()
	for _, entry := range entries {
		key, child := v.child(entry)
		child.path = v.path
		read(key, child)
	}
}

// under names the mapping that v is, for messages about its keys.
func (v value) under() string {
	if v.path == "" {
		return ""
	}
	return " under " + v.path
}

func (v value) name() string {
	if v.path == "" {
		return "the file"
	}
	return v.path
}

// kind says what sort of node v is, in words.
func (v value) kind() string {
	switch v.node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode, nil:
		return "empty"
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return "an anchor, alias or tag, which busu.yaml does not use"
	}
	return "something else"
}

// shorten makes a word from the file fit to be quoted. What is longer than any
// key or choice may be a secret in the wrong place, so only its head is shown.
func shorten(s string) string {
	if len(s) <= 32 {
		return s
	}
	return strings.ToValidUTF8(s[:8], "") + "…"
}
