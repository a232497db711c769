package config

import (
	"fmt"
	"slices"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/webhook"
)

// projectBudget reads one budget of a project.
func (l *loader) projectBudget(v value) {
	b := ProjectBudget{Period: "month"}
	given := v.object(
		field{"project", func(v value) { v.text(&b.Project) }},
		field{"budget_usd", func(v value) { v.dollars(&b.Budget, "to spend in a period") }},
		field{"budget_period", func(v value) { v.choice(&b.Period, "day", "month") }},
	)
	switch at, ok := given["budget_usd"]; {
	case !access.IsProject(b.Project):
		v.wrong(fmt.Sprintf("%s needs the name of a project, of 1 to 64 letters, digits, dots, dashes and underscores", v.path), "add it as project: default")
	case !ok:
		v.wrong(v.path+" needs budget_usd", "say how much may be spent, such as budget_usd: 100")
	case b.Budget <= 0:
		at.wrong(at.path+" is 0, so nobody could ask anything", "allow some dollars")
	case slices.ContainsFunc(l.cfg.Limits.Projects, func(o ProjectBudget) bool { return o.Project == b.Project && o.Period == b.Period }):
		v.wrong(fmt.Sprintf("%s gives %s another budget for a %s", v.path, b.Project, b.Period), "remove one of them")
	default:
		l.cfg.Limits.Projects = append(l.cfg.Limits.Projects, b)
	}
}

func (p *printer) projectBudgets(all []ProjectBudget) {
	if len(all) == 0 {
		p.line("  projects: []")
		return
	}
	p.line("  projects:")
	for _, b := range all {
		p.line("    - {project: %s, budget_usd: %s, budget_period: %s}", quote(b.Project), b.Budget, b.Period)
	}
}

// alerts is read behind webhooks, which say where they may go.
func (l *loader) alerts(v value) {
	v.object(field{"notify_url", func(v value) {
		var url string
		if !v.text(&url) || url == "" {
			return
		}
		if err := l.cfg.Webhooks.Allow.CheckURL(url); err != nil {
			v.wrong(v.path+" cannot be used", "it "+err.Error())
			return
		}
		l.cfg.Limits.Alerts.NotifyURL = url
	}})
}

// alerts shows an address without what may be a secret in it.
func (p *printer) alerts(a Alerts) {
	if a.NotifyURL == "" {
		p.line("  alerts: {notify_url: \"\"}")
		return
	}
	p.line("  alerts: {notify_url: %s}", quote(webhook.Shown(a.NotifyURL)))
}
