package webhook_test

import (
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/webhook"
)

// FuzzParseAllow: what is allowed beyond the public network is what was
// written, and nothing else: an address that no entry names stays refused.
func FuzzParseAllow(f *testing.F) {
	for _, seed := range []string{"10.0.0.0/8", "hooks.example.com", "::ffff:10.0.0.1", "0x7f000001", "fe80::1%eth0", "", " ", "127.1", "a..b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		a, err := webhook.ParseAllow([]string{entry})
		if err != nil {
			if len(a.Entries()) > 0 {
				t.Errorf("%q is refused, and allowed", entry)
			}
			return
		}
		again, err := webhook.ParseAllow(a.Entries())
		if err != nil || strings.Join(again.Entries(), ",") != entry {
			t.Errorf("%q became %q (%v)", entry, again.Entries(), err)
		}
	})
}

// FuzzParseKeys: secrets are read or refused, and neither way shown.
func FuzzParseKeys(f *testing.F) {
	f.Add(webhook.NewSecret())
	f.Add(webhook.NewSecret() + "," + webhook.NewSecret())
	f.Add("whsec_,")
	f.Add("whsec_%")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := webhook.ParseKeys(text)
		if err != nil && len(text) > 12 && strings.Contains(err.Error(), text) {
			t.Errorf("%v quotes the secret", err)
		}
		if (err == nil) != k.Any() {
			t.Errorf("%q: %v, %v", text, k, err)
		}
	})
}
