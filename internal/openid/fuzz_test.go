package openid_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/busuhq/busu/internal/openid"
	"github.com/busuhq/busu/internal/session"
)

// FuzzIDToken: whatever stands where an ID token should, without the issuer's
// signature nobody is let in, and the refusal says why.
func FuzzIDToken(f *testing.F) {
	i := newIssuer(f)
	claims := map[string]any{"iss": i.URL, "aud": clientID, "sub": "x", "nonce": attempt.Nonce, "exp": 1 << 40, "groups": []string{"admins"}}
	whole := signed(f, i.key, claims)
	for _, seed := range []string{"", ".", "..", "a.b.c", whole + "A", whole[:len(whole)-4], unsigned(f, `{"alg":"none"}`, claims) + ".", unsigned(f, `{"alg":"RS256","kid":"1"}`, claims) + ".AAAA",
		unsigned(f, `{"alg":"HS256"}`, claims) + ".AAAA", text([]byte(`{"alg":[]}`)) + "." + text([]byte(`[]`)) + "."} {
		f.Add(seed)
	}
	provider := openid.New(i.options())
	address, err := provider.Ask(f.Context(), attempt)
	if err != nil {
		f.Fatal(err)
	}
	i.came(f, address)
	f.Fuzz(func(t *testing.T, token string) {
		i.mu.Lock()
		i.sign = func(map[string]any) string { return token }
		i.mu.Unlock()
		if token == whole {
			t.Skip("it is signed")
		}
		person, err := provider.Vouch(t.Context(), back(), attempt)
		refusal, ok := errors.AsType[*session.Refusal](err)
		if !ok || refusal.Reason == "" {
			t.Fatalf("%q lets in %+v (%v)", token, person, err)
		}
	})
}

// FuzzClaims: whatever an issuer signs of somebody, they get the role of a grant
// that is theirs, or none.
func FuzzClaims(f *testing.F) {
	i := newIssuer(f)
	for _, seed := range []string{`{}`, `{"groups": "admins"}`, `{"groups": {"admins": true}}`, `{"groups": [["admins"]]}`, `{"email": "x@example.com", "email_verified": "true"}`,
		`{"sub": ""}`, `{"sub": "\u0000"}`, `{"aud": ["busu", "other"]}`, `{"exp": "never"}`, `{"nonce": null}`} {
		f.Add([]byte(seed))
	}
	provider := openid.New(i.options())
	address, err := provider.Ask(f.Context(), attempt)
	if err != nil {
		f.Fatal(err)
	}
	i.came(f, address)
	f.Fuzz(func(t *testing.T, said []byte) {
		var over map[string]any
		if json.Unmarshal(said, &over) != nil {
			t.Skip("a signed token holds an object")
		}
		i.mu.Lock()
		i.claims = over
		i.mu.Unlock()
		person, err := provider.Vouch(t.Context(), back(), attempt)
		if err != nil {
			if _, ok := errors.AsType[*session.Refusal](err); !ok {
				t.Errorf("%v", err)
			}
			return
		}
		granted := false
		for _, g := range i.options().Grants {
			granted = granted || g.Role == person.Role && g.Project == person.Project
		}
		if !granted || person.Name == "" {
			t.Errorf("%s lets in %+v", said, person)
		}
	})
}
