package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// block is one block of shell of a document.
type block struct {
	line     int // where it begins
	text     string
	terminal bool   // runs beside the others
	alone    bool   // after everything in terminals has ended
	norun    string // why it cannot be run here; empty: it is run
	prints   string // what the document says of its output; empty: nothing
}

// blocksOf reads the blocks of shell of a document in Markdown.
func blocksOf(document string) ([]block, error) {
	var found []block
	lines := strings.Split(document, "\n")
	adjacent := false // nothing but empty lines since the last block of shell
	for i := 0; i < len(lines); i++ {
		info, fence := strings.CutPrefix(lines[i], "```")
		if !fence {
			adjacent = adjacent && strings.TrimSpace(lines[i]) == ""
			continue
		}
		length := slices.Index(lines[i+1:], "```")
		if length < 0 {
			return nil, fmt.Errorf("line %d: the block has no end", i+1)
		}
		text := strings.Join(lines[i+1:i+1+length], "\n") + "\n"
		language, _, _ := strings.Cut(info, " ")
		switch {
		case language == "sh":
			b, err := newBlock(i+1, info, text)
			if err != nil {
				return nil, err
			}
			found = append(found, b)
		case slices.Contains([]string{"", "text", "json"}, language) && adjacent:
			found[len(found)-1].prints = text
		}
		adjacent = language == "sh"
		i += length + 1
	}
	return found, nil
}

func newBlock(line int, info, text string) (block, error) {
	b := block{line: line, text: text}
	why, norun := strings.CutPrefix(info, "sh norun: ")
	switch {
	case info == "sh":
	case info == "sh terminal":
		b.terminal = true
	case info == "sh terminal restart":
		b.terminal, b.alone = true, true
	case info == "sh alone":
		b.alone = true
	case norun && why != "":
		b.norun = why
	default:
		return block{}, fmt.Errorf("line %d: %q is no kind of block: sh, sh alone, sh terminal, sh terminal restart, sh norun: why", line, info)
	}
	return b, nil
}

// printed says what of the output that a document promises is not there; it is
// empty when all is, in its order. How much white space there is does not
// matter.
func printed(promised, output string) (missing string) {
	rest := plain(output)
	for piece := range strings.SplitSeq(promised, "…") {
		piece = plain(piece)
		_, behind, found := strings.Cut(rest, piece)
		if !found {
			return piece
		}
		rest = behind
	}
	return ""
}

func plain(text string) string { return strings.Join(strings.Fields(text), " ") }

var address = regexp.MustCompile(`127\.0\.0\.1:8\d{3}\b`)

// addresses replaces those of a document by free ones, the same by the same.
type addresses struct {
	free func() (string, error)
	of   map[string]string
}

func (a *addresses) in(text string) (string, error) {
	var failed error
	text = address.ReplaceAllStringFunc(text, func(written string) string {
		if a.of[written] == "" {
			got, err := a.free()
			if err != nil {
				failed = err
			}
			a.of[written] = got
		}
		return a.of[written]
	})
	return text, failed
}
