package config

import (
	"slices"

	"github.com/busuhq/busu/internal/webhook"
)

// webhookSecret reads what signs webhooks: several while one is replaced.
func (e *environment) webhookSecret() Secret {
	const name = "BUSU_WEBHOOK_SECRET"
	s, _ := e.secret(name)
	if !s.IsSet() {
		return s
	}
	if _, err := webhook.ParseKeys(s.value); err != nil {
		e.wrong(name, err.Error(), `make one with: echo "whsec_$(openssl rand -base64 32)"; separate an old and a new one by a comma`)
	}
	return s
}

func (l *loader) webhooks(v value) {
	v.object(field{"allow", func(v value) {
		var entries []string
		v.list(func(v value) {
			var entry string
			if v.filled(&entry) && allowed(v, entry) && !slices.Contains(entries, entry) {
				entries = append(entries, entry)
			}
		})
		l.cfg.Webhooks.Allow, _ = webhook.ParseAllow(entries) // each was looked at
	}})
}

// allowed looks at one entry, so that what is wrong has its line.
func allowed(v value, entry string) bool {
	_, err := webhook.ParseAllow([]string{entry})
	if err != nil {
		v.wrong(v.path+" "+shorten(entry)+" is no host and no network", "write it like hooks.example.com, 10.1.2.3 or 10.0.0.0/8, without https:// and port")
	}
	return err == nil
}
