package webhook_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/webhook"
)

func allowing(t *testing.T, entries ...string) webhook.Allow {
	t.Helper()
	a, err := webhook.ParseAllow(entries)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		public bool
		all    string
	}{
		{true, "8.8.8.8 1.1.1.1 172.15.0.1 172.32.0.1 192.169.0.1 100.63.255.255 100.128.0.1 223.255.255.255 ::ffff:8.8.8.8 " +
			"2606:4700:4700::1111 2a00:1450:4001::1 64:ff9b::808:808"},
		{false, "127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 169.254.170.2 " +
			"100.64.0.1 100.100.100.200 100.127.255.255 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 192.88.99.1 224.0.0.1 " +
			"239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16"},
		{false, ":: ::1 fe80::1 fe80::1%eth0 fec0::1 fc00::1 fd00:ec2::254 fd20:ce::254 ff02::1 100::1 ::7f00:1 2001:db8::1 3fff::1 5f00::1"},
		{false, "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1"},
		{false, "2002:7f00:1::1 2002:808:808::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::808:808"},
	} {
		for text := range strings.FieldsSeq(c.all) {
			if err := (webhook.Allow{}).Address(netip.MustParseAddr(text)); (err == nil) != c.public || err != nil && !errors.Is(err, webhook.ErrPrivate) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	if err := (webhook.Allow{}).Address(netip.Addr{}); err == nil {
		t.Error("no address is public")
	}
}

func TestWhatIsAllowed(t *testing.T) {
	t.Parallel()
	a := allowing(t, "10.1.0.0/16", "192.168.7.7", "fd00:1::/64", "Hooks.Corp.Example.", "localhost")
	for text, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "192.168.7.7": true, "192.168.7.8": false,
		"fd00:1::7": true, "fd00:2::7": false, "8.8.8.8": true, "169.254.169.254": false} {
		if got := a.Address(netip.MustParseAddr(text)) == nil; got != want {
			t.Errorf("%s is allowed: %v", text, got)
		}
	}
	for host, want := range map[string]bool{"hooks.corp.example": true, "HOOKS.corp.example.": true, "corp.example": false, "a.hooks.corp.example": false, "localhost": true} {
		if got := a.Host(host); got != want {
			t.Errorf("%s is allowed: %v", host, got)
		}
	}
	for _, entry := range []string{"", "https://example.com", "example.com:443", "10.0.0.0/33", "*.example.com", ".example.com", "a b", "::ffff:10.0.0.0/104", "127.1", "0x7f000001", "fe80::1%eth0"} {
		if _, err := webhook.ParseAllow([]string{"ok.example.com", entry}); err == nil {
			t.Errorf("%q is allowed", entry)
		}
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	a := allowing(t, "10.1.0.0/16", "hooks.corp.example", "intranet", "8.8.4.4")
	const ok = ""
	for text, says := range map[string]string{
		"https://example.com/hook?x=1": ok, "https://EXAMPLE.com.:8443": ok, "https://8.8.8.8/": ok, "https://[2606:4700:4700::1111]/": ok, "https://xn--bcher-kva.example/": ok,
		"https://10.1.2.3/": ok, "http://10.1.2.3:8080/": ok, "http://hooks.corp.example/": ok, "http://Intranet:81/x": ok, "http://8.8.4.4/": ok, "https://[::ffff:10.1.2.3]/": ok,
		"": "is no address", "example.com": "is no address", "ftp://example.com": "is no address", "https://": "is no address", "https:///x": "is no address",
		"https://example.com:0/": "is no address", "https://example.com:99999/": "is no address", "https://exa mple.com/": "is no address", "https://exämple.com/": "is no address",
		"https://u:p@example.com": "neither a password", "https://u@example.com": "neither a password", "https://example.com/#x": "neither a password",
		"http://example.com": "must begin with https://", "http://8.8.8.8": "must begin with https://",
		"https://" + strings.Repeat("x", 2000):        "longer than",
		"http://169.254.169.254/latest/meta-data":     "webhooks.allow",
		"https://[::ffff:169.254.169.254]/":           "webhooks.allow",
		"https://[fe80::1%25eth0]/":                   "webhooks.allow",
		"https://10.0.0.1/":                           "webhooks.allow",
		"https://[64:ff9b::a00:1]/":                   "webhooks.allow",
		"https://LOCALHOST.:8000/":                    "webhooks.allow",
		"https://a.localhost/":                        "webhooks.allow",
		"https://metadata.google.internal/":           "webhooks.allow",
		"https://redis/":                              "webhooks.allow",
		"https://2130706433/":                         "webhooks.allow",
		"https://0x7f000001/":                         "webhooks.allow",
		"https://127.1/":                              "webhooks.allow",
		"https://0177.0.0.1/":                         "webhooks.allow",
		"https://example.com.0x7f/":                   "webhooks.allow",
		"https://printer.local/":                      "webhooks.allow",
		"https://other.corp.example.home.arpa/":       "webhooks.allow",
		"https://hooks.corp.example.evil.internal./x": "webhooks.allow",
	} {
		err := a.CheckURL(text)
		if says == ok && err != nil || says != ok && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%.60s: %v, want %q", text, err, says)
		}
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"https://example.com/hook": "https://example.com/hook", "https://example.com/hook?token=secret&a=b": "https://example.com/hook?***",
		"https://u:secret@example.com/x#secret": "https://example.com/x", "https://exa mple.com/?secret": "***"} {
		if got := webhook.Shown(text); got != want {
			t.Errorf("%s shows as %s", text, got)
		}
	}
}
