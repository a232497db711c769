package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// FuzzPresentedKey: what is found is part of one of the two headers, and
// nothing else of a request can be taken for a key.
func FuzzPresentedKey(f *testing.F) {
	for _, seed := range [][2]string{{"Bearer a", ""}, {"bearer  a ", "b"}, {"Basic YTpi", "b"}, {"Bearer", "b"}, {"Bearer ", "b"}, {"", ""}, {"a", "b"},
		{"Bearer a b", ""}, {"Bearer\ta", "b"}, {"Bearer a, Bearer b", ""}, {"BEARER \x00", "\xff"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, authorization, apiKey string) {
		h := http.Header{}
		h.Set("Authorization", authorization)
		h.Set("x-api-key", apiKey)
		got := presentedKey(h)
		scheme, rest, ok := strings.Cut(authorization, " ")
		bearer := ok && strings.EqualFold(scheme, "bearer")
		switch {
		case bearer && (got != strings.TrimSpace(rest)):
			t.Errorf("%q gives %q", authorization, got)
		case !bearer && got != apiKey:
			t.Errorf("%q and %q give %q", authorization, apiKey, got)
		}
		h.Set("X-Other", "Bearer other")
		h.Set("Cookie", "key=other")
		if presentedKey(h) != got {
			t.Error("another header is looked at")
		}
	})
}

func TestPresentedKeyCostsNoAllocation(t *testing.T) {
	h := http.Header{"Authorization": {"Bearer busu_abc"}, "X-Api-Key": {"x"}}
	if n := testing.AllocsPerRun(100, func() { _ = presentedKey(h) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// TestRefusalsOnRecordAreBounded: anybody can cause them. What is not noted is
// counted.
func TestRefusalsOnRecordAreBounded(t *testing.T) {
	t.Parallel()
	var r refused
	now := time.Now()
	for minute := range 3 {
		noted := 0
		for i := range 50 {
			more, ok := r.count(now.Add(time.Duration(minute)*time.Minute + time.Duration(i)*time.Second))
			if ok {
				noted++
			}
			if want := map[bool]int{true: 30}[minute > 0 && i == 0]; more != want {
				t.Errorf("minute %d, refusal %d tells of %d more, want %d", minute, i, more, want)
			}
		}
		if noted != mostRefusals {
			t.Errorf("%d are noted in minute %d, want %d", noted, minute, mostRefusals)
		}
	}
}

// TestWhereRequestsComeFrom: proxies of ours are believed, and nobody behind
// them.
func TestWhereRequestsComeFrom(t *testing.T) {
	t.Parallel()
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		peer  string
		told  []string
		want  string
		trust Proxies
	}{
		{"192.0.2.1:5", nil, "192.0.2.1", proxies},
		{"192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1", proxies},
		{"10.0.0.1:5", []string{"198.51.100.7"}, "10.0.0.1", nil},
		{"10.0.0.1:5", []string{"198.51.100.7"}, "198.51.100.7", proxies},
		{"10.0.0.1:5", []string{"6.6.6.6, 198.51.100.7, 10.0.0.2"}, "198.51.100.7", proxies},
		{"10.0.0.1:5", []string{"6.6.6.6", "198.51.100.7", "10.0.0.2"}, "198.51.100.7", proxies},
		{"10.0.0.1:5", []string{"nonsense"}, "10.0.0.1", proxies},
		{"10.0.0.1:5", []string{""}, "10.0.0.1", proxies},
		{"[::ffff:10.0.0.1]:5", []string{"2001:db8::1"}, "2001:db8::1", proxies},
		{"[fd00::1%eth0]:5", []string{"10.0.0.9"}, "10.0.0.9", proxies},
		{"nonsense", []string{"198.51.100.7"}, "", proxies},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = c.peer, c.told
		if got := c.trust.from(r); got != c.want {
			t.Errorf("%s, %q: %s, want %s", c.peer, c.told, got, c.want)
		}
	}
}
