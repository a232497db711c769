package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/redact"
)

// Redaction is what is taken out of prompts before they leave.
type Redaction struct {
	Patterns    []string            // built-in ones
	Expressions []redact.Expression // of the operator's own
	Restore     bool                // answers get back what was taken out
	Projects    []string            // whose prompts; none: all
	Hook        RedactionHook
}

// RedactionHook is who else takes something out.
type RedactionHook struct {
	URL             string        // "": nobody
	Timeout         time.Duration // of a call
	WhenUnavailable string        // what happens then: closed or open
}

// IsOn reports whether anything is taken out.
func (r Redaction) IsOn() bool {
	return len(r.Patterns) > 0 || len(r.Expressions) > 0 || r.Hook.URL != ""
}

func defaultRedaction() Redaction {
	return Redaction{Restore: true, Hook: RedactionHook{Timeout: 2 * time.Second, WhenUnavailable: "closed"}}
}

func (l *loader) redaction(v value) {
	r := &l.cfg.Redaction
	given := v.object(
		field{"patterns", func(v value) {
			v.list(func(v value) {
				var pattern string
				if v.choice(&pattern, redact.Patterns()...) && !slices.Contains(r.Patterns, pattern) {
					r.Patterns = append(r.Patterns, pattern)
				}
			})
		}},
		field{"expressions", func(v value) { v.list(func(v value) { expression(v, r) }) }},
		field{"restore", func(v value) { v.flag(&r.Restore) }},
		field{"projects", func(v value) { v.list(func(v value) { redactedProject(v, r) }) }},
		field{"hook", func(v value) { l.redactionHook(v, &r.Hook) }},
	)
	if at, ok := given["projects"]; ok && len(r.Projects) > 0 && !r.IsOn() {
		at.wrong(at.path+" names projects, but nothing is taken out", "list redaction.patterns, such as [email, phone, card, iban, secret]")
	}
}

// expression reads one of the operator's own. What it matches may be secret, so
// it is not quoted.
func expression(v value, r *Redaction) {
	var e redact.Expression
	v.object(
		field{"name", func(v value) { v.text(&e.Name) }},
		field{"match", func(v value) { v.text(&e.Match) }},
	)
	if err := redact.Check(e); err != nil {
		v.wrong(v.path+" is no expression with a name", "write it like {name: ORDER, match: 'ORD-[0-9]{8}'}: a name in capital letters, and what RE2 reads and is never empty")
		return
	}
	r.Expressions = append(r.Expressions, e)
}

func redactedProject(v value, r *Redaction) {
	var project string
	if !v.text(&project) {
		return
	}
	if !access.IsProject(project) {
		v.wrong(fmt.Sprintf("%s %q is no name of a project", v.path, shorten(project)), "use 1 to 64 letters, digits, dots, dashes and underscores")
		return
	}
	if !slices.Contains(r.Projects, project) {
		r.Projects = append(r.Projects, project)
	}
}

func (l *loader) redactionHook(v value, h *RedactionHook) {
	v.object(
		field{"url", func(v value) { address(v, &h.URL, "write it like http://127.0.0.1:9000/redact") }},
		field{"timeout", func(v value) { v.duration(&h.Timeout, time.Millisecond, time.Minute) }},
		field{"when_unavailable", func(v value) { v.choice(&h.WhenUnavailable, "closed", "open") }},
	)
	if isPlain(h.URL) {
		l.warn("the redaction hook is asked over plain http: prompts can be read on the way; use https")
	}
}

func (p *printer) redaction(r Redaction) {
	p.line("\nredaction:\n  patterns: [%s]", list(r.Patterns))
	if len(r.Expressions) == 0 {
		p.line("  expressions: []")
	} else {
		p.line("  expressions:")
	}
	for _, e := range r.Expressions {
		p.line("    - {name: %s, match: %s}", quote(e.Name), quote(e.Match))
	}
	p.line("  restore: %t\n  projects: [%s]", r.Restore, list(r.Projects))
	p.line("  hook:")
	if r.Hook.URL != "" {
		p.line("    url: %s", quote(r.Hook.URL))
	}
	p.line("    timeout: %s\n    when_unavailable: %s", formatDuration(r.Hook.Timeout), r.Hook.WhenUnavailable)
}
