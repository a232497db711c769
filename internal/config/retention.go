package config

import (
	"fmt"
	"slices"

	"github.com/busuhq/busu/internal/access"
)

// projectRetention reads how long a project keeps what it keeps. It is read
// behind what all keep.
func (l *loader) projectRetention(v value) {
	all := &l.cfg.Retention
	p := ProjectRetention{Completions: all.Completions, Answers: l.cfg.Cache.PostgresTTL}
	v.object(
		field{"project", func(v value) { v.text(&p.Project) }},
		field{"completions", func(v value) { v.duration(&p.Completions, day, all.Completions) }},
		field{"answers", func(v value) { v.duration(&p.Answers, 0, l.cfg.Cache.PostgresTTL) }},
	)
	switch {
	case !access.IsProject(p.Project):
		v.wrong(fmt.Sprintf("%s needs the name of a project, of 1 to 64 letters, digits, dots, dashes and underscores", v.path), "add it as project: default")
	case slices.ContainsFunc(all.Projects, func(o ProjectRetention) bool { return o.Project == p.Project }):
		v.wrong(fmt.Sprintf("%s says again how long %s keeps what it keeps", v.path, p.Project), "remove one of them")
	default:
		all.Projects = append(all.Projects, p)
	}
}

func (p *printer) projectRetentions(all []ProjectRetention) {
	if len(all) == 0 {
		p.line("  projects: []")
		return
	}
	p.line("  projects:")
	for _, r := range all {
		p.line("    - {project: %s, completions: %s, answers: %s}", quote(r.Project), formatDuration(r.Completions), formatDuration(r.Answers))
	}
}
