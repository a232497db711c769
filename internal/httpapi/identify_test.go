package httpapi

import (
	"net/http"
	"strings"
	"testing"
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
