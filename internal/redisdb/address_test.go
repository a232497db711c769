package redisdb

import (
	"slices"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct {
		kind           kind
		hosts          string
		user, password string
		tls            bool
	}{
		"redis://r":                          {single, "r:6379", "", "", false},
		"rediss://u:p%40%2Cw@r:1/2":          {single, "r:1", "u", "p@,w", true},
		"redis://u:p@a,b:2,[::1]:3,[::2]":    {cluster, "a:6379 b:2 [::1]:3 [::2]:6379", "u", "p", false},
		"redis://:p@a:1/0?addr=b:2&addr=c:3": {cluster, "a:1 b:2 c:3", "", "p", false},
		"redis+cluster://a:1":                {cluster, "a:1", "", "", false},
		"rediss+cluster://u:p@a/?addr=b:2":   {cluster, "a:6379 b:2", "u", "p", true},
		"redis+sentinel://u:p@a,b:2/name":    {sentinel, "a:26379 b:2", "u", "p", false},
		"rediss+sentinel://a/name/3":         {sentinel, "a:26379", "", "", true},
		"redis+sentinel://:p@a/n?addr=b:2":   {sentinel, "a:26379 b:2", "", "p", false},
	} {
		a, err := parseAddress(raw)
		if err != nil || a.kind != want.kind {
			t.Errorf("%s: kind %d, %v", raw, a.kind, err)
			continue
		}
		var hosts []string
		var user, password string
		var tls bool
		switch a.kind {
		case single:
			o, err := a.single()
			if err != nil {
				t.Fatal(raw, err)
			}
			hosts, user, password, tls = []string{o.Addr}, o.Username, o.Password, o.TLSConfig != nil
		case cluster:
			o, err := a.cluster()
			if err != nil {
				t.Fatal(raw, err)
			}
			hosts, user, password, tls = o.Addrs, o.Username, o.Password, o.TLSConfig != nil
			if tls && (o.TLSConfig.ServerName != "" || o.TLSConfig.InsecureSkipVerify) {
				t.Errorf("%s: a node is not asked for the certificate of its own name", raw)
			}
		case sentinel:
			o, err := a.sentinel()
			if err != nil {
				t.Fatal(raw, err)
			}
			hosts, user, password, tls = o.SentinelAddrs, o.Username, o.Password, o.TLSConfig != nil
			if o.SentinelPassword != "" || !strings.HasPrefix("name", o.MasterName) || (o.DB == 3) != strings.HasSuffix(raw, "/3") {
				t.Errorf("%s: %q of database %d, asked for with %q", raw, o.MasterName, o.DB, o.SentinelPassword)
			}
		}
		if !slices.Equal(hosts, strings.Fields(want.hosts)) || user != want.user || password != want.password || tls != want.tls {
			t.Errorf("%s: %v, %q, %q, TLS %t", raw, hosts, user, password, tls)
		}
	}
}

func TestSentinelsMayHaveAnotherPassword(t *testing.T) {
	t.Parallel()
	a, err := parseAddress("redis+sentinel://u:p@a/name?sentinel_username=s&sentinel_password=q%26r")
	if err != nil {
		t.Fatal(err)
	}
	o, err := a.sentinel()
	if err != nil || o.SentinelUsername != "s" || o.SentinelPassword != "q&r" || o.Username != "u" || o.Password != "p" {
		t.Errorf("%+v, %v", o, err)
	}
}

// No error shows a password.
func TestWrongAddresses(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "hunter2", "http://:hunter2@r", "redis+other://:hunter2@r", "redis://:hunter2@r:port",
		"redis://:hunter2@a,b/1", "redis+sentinel://:hunter2@a", "redis+sentinel://:hunter2@a/name/x", "redis://:hunter2%zz@r"} {
		db, err := Open(raw)
		if err == nil {
			t.Errorf("%s is opened: %v", raw, db.Close())
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s is shown: %v", raw, err)
		}
	}
}
