package manual

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Page is a page of section 1 for man, in roff: every command with its flags
// and what its help says. Release and date stand in its head and foot; date is
// such as 2026-11-26, or "".
func Page(app *kong.Application, release, date string) string {
	p := &page{}
	p.request("TH", strings.ToUpper(app.Name), "1", date, release, "User commands")
	p.request("SH", "NAME")
	p.text(app.Name + ` \- ` + escaped(lowered(firstSentence(app.Help))))
	p.request("SH", "SYNOPSIS")
	p.line(`.B ` + app.Name)
	p.line(`.I command`)
	p.text("[flags]")
	p.request("SH", "DESCRIPTION")
	p.prose(app.Help)
	p.request("SH", "COMMANDS")
	walk(app.Node, func(n *kong.Node, path string) {
		if n.Type == kong.CommandNode && len(shown(n)) == 0 {
			p.command(n, path)
		}
	})
	p.request("SH", "EXIT STATUS")
	p.prose("0 when all went well, 1 when something failed, 2 when the command line was wrong.")
	p.request("SH", "ENVIRONMENT")
	p.prose("Stores, keys and addresses come from the environment and from the file that BUSU_CONFIG names; " +
		app.Name + " config print shows what is in force.")
	return p.roff.String()
}

func lowered(s string) string { return strings.ToLower(s[:min(1, len(s))]) + s[min(1, len(s)):] }

// page is roff while it is written.
type page struct{ roff strings.Builder }

func (p *page) line(s string) { p.roff.WriteString(s + "\n") }

// request writes a request of roff with its arguments.
func (p *page) request(name string, args ...string) {
	p.roff.WriteString("." + name)
	for _, a := range args {
		fmt.Fprintf(&p.roff, ` "%s"`, strings.ReplaceAll(escaped(a), `"`, `\(dq`))
	}
	p.roff.WriteByte('\n')
}

// text writes a line that holds roff of ours; it must not begin a request.
func (p *page) text(s string) { p.line(s) }

// prose writes help: paragraphs filled, and what is indented as it stands.
func (p *page) prose(help string) {
	literal := false
	for paragraph := range strings.SplitSeq(strings.TrimSpace(help), "\n\n") {
		p.request("PP")
		for line := range strings.SplitSeq(paragraph, "\n") {
			if indented := strings.HasPrefix(line, "  "); indented != literal {
				literal = indented
				p.request(map[bool]string{true: "EX", false: "EE"}[literal])
			}
			p.line(guarded(escaped(line)))
		}
		if literal {
			literal = false
			p.request("EE")
		}
	}
}

func (p *page) command(n *kong.Node, path string) {
	p.request("SS", path+arguments(n))
	p.prose(n.Help)
	if n.Detail != "" {
		p.prose(n.Detail)
	}
	for _, arg := range n.Positional {
		p.entry(arg.Summary(), arg.Help)
	}
	for _, f := range flagsOf(n) {
		if f.Name != "help" {
			p.entry(f.String(), f.Help)
		}
	}
}

func arguments(n *kong.Node) (s string) {
	for _, arg := range n.Positional {
		s += " " + arg.Summary()
	}
	return s
}

func (p *page) entry(name, help string) {
	p.request("TP")
	p.request("B", name)
	p.line(guarded(escaped(help)))
}

// special is what roff would take for its own, or show otherwise.
var special = map[rune]string{'\\': `\e`, '-': `\-`, '\'': `\(aq`, '^': `\(ha`, '~': `\(ti`, '`': `\(ga`}

// escaped is s as roff shows it: letters beyond ASCII by their number, so that
// it does not matter what the reader's roff takes bytes for.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch name, ok := special[r]; {
		case ok:
			b.WriteString(name)
		case r > '~':
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// guarded keeps a line from being read as a request.
func guarded(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}
