// Package manual writes what a command line says of itself for others to read:
// completions for shells, and a page for man.
package manual

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// word is something that may be typed, and what it is for.
type word struct{ text, help string }

// place is a point in the tree of commands: what may be typed there.
type place struct {
	path     string // such as "busu keys list"
	commands []word
	flags    []word            // as they are typed, such as --json and -q
	values   map[string][]word // of flags that take one of a few, by flag
	takes    []string          // flags that take a value, whose next word is no command
}

// places are all points of the tree, the root first.
func places(root *kong.Node) (all []place) {
	walk(root, func(n *kong.Node, path string) { all = append(all, placeOf(n, path)) })
	return all
}

// walk visits n and all commands below it that are shown, in their order.
func walk(n *kong.Node, visit func(n *kong.Node, path string)) { step(n, n.Name, visit) }

func step(n *kong.Node, path string, visit func(*kong.Node, string)) {
	visit(n, path)
	for _, child := range shown(n) {
		step(child, path+" "+child.Name, visit)
	}
}

func shown(n *kong.Node) []*kong.Node {
	return slices.DeleteFunc(slices.Clone(n.Children), func(c *kong.Node) bool { return c.Hidden || c.Type != kong.CommandNode })
}

func placeOf(n *kong.Node, path string) place {
	p := place{path: path, values: map[string][]word{}}
	for _, child := range shown(n) {
		p.commands = append(p.commands, word{child.Name, firstSentence(child.Help)})
	}
	for _, f := range flagsOf(n) {
		names := []string{"--" + f.Name}
		if f.Short != 0 {
			names = append(names, "-"+string(f.Short))
		}
		for _, name := range names {
			p.flags = append(p.flags, word{name, firstSentence(f.Help)})
			if !f.IsBool() && !f.IsCounter() {
				p.takes = append(p.takes, name)
			}
			if f.Enum != "" {
				p.values[name] = choices(f.Enum)
			}
		}
	}
	for _, arg := range n.Positional {
		if arg.Enum != "" && len(p.commands) == 0 {
			p.commands = choices(arg.Enum)
		}
	}
	return p
}

// flagsOf are those that may be given at n: its own and those of all above.
func flagsOf(n *kong.Node) (flags []*kong.Flag) {
	for _, group := range n.AllFlags(true) {
		flags = append(flags, group...)
	}
	return flags
}

func choices(enum string) (all []word) {
	for choice := range strings.SplitSeq(enum, ",") {
		if choice = strings.TrimSpace(choice); choice != "" {
			all = append(all, word{text: choice})
		}
	}
	return all
}

// firstSentence is all that a list has room for, on one line.
func firstSentence(help string) string {
	sentence, _, _ := strings.Cut(strings.Join(strings.Fields(help), " "), ". ")
	return strings.TrimSuffix(sentence, ".")
}

func texts(words []word) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = w.text
	}
	return all
}

// quoted is a word of a shell that stands for s, whatever is in it.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
