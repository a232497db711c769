package config

import (
	"fmt"

	"github.com/busuhq/busu/internal/pricing"
)

// Shadow is a second model that is asked in the background, to learn which
// answer is better.
type Shadow struct {
	Share       float64       // of requests that may teach, 0 to 1; 0: never
	DailyBudget pricing.Nanos // of second models and the judge together, a day in UTC
	Judge       string        // model that rates both answers; "": nobody does
}

func defaultShadow() Shadow { return Shadow{DailyBudget: 5e9} }

func (l *loader) shadow(v value) {
	s := &l.cfg.Shadow
	given := v.object(
		field{"share", func(v value) { v.number(&s.Share, 0, 1) }},
		field{"daily_budget_usd", func(v value) { v.dollars(&s.DailyBudget, "to spend a day") }},
		field{"judge", func(v value) { l.judge(v, s) }},
	)
	if at, ok := given["daily_budget_usd"]; ok && s.Share > 0 && s.DailyBudget == 0 {
		at.wrong(at.path+" is 0, so nobody would be asked", "allow some dollars, or set share to 0")
	}
}

func (l *loader) judge(v value, s *Shadow) {
	var id string
	if !v.text(&id) || id == "" {
		return
	}
	s.Judge = id
	m, ok := l.cfg.Model(id)
	switch {
	case ok && !m.Chats():
		v.wrong(fmt.Sprintf("%s: %s does not chat", v.path, shorten(id)), "name a model whose purpose is chat")
	case ok && m.Price.Unknown:
		v.wrong(fmt.Sprintf("%s: %s has no price, so the budget could not be kept", v.path, shorten(id)), "give the model its price, or name another")
	case !ok:
		l.noModel(v, id)
	}
}
