package openid_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/openid"
	"github.com/busuhq/busu/internal/session"
)

const (
	clientID = "busu"
	secret   = "a client's secret"
	callback = "https://busu.example/session/oidc/callback"
)

// issuer is an identity provider that speaks HTTP, and lies where it is told to.
type issuer struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu        sync.Mutex
	discovery map[string]any // over what it says of itself
	asked     url.Values     // by the browser
	claims    map[string]any // over those of its ID tokens
	sign      func(claims map[string]any) string
	exchanges int
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key, discovery: map[string]any{}, claims: map[string]any{}}
	i.sign = func(c map[string]any) string { return signed(t, key, c) }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		all := map[string]any{"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256", "none", "HS256"}}
		maps.Copy(all, i.discovery)
		answer(t, w, http.StatusOK, all)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(t, w, http.StatusOK, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1",
			"n": text(key.N.Bytes()), "e": text(big.NewInt(int64(key.E)).Bytes())}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) { i.exchange(t, w, r) })
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// exchange gives an ID token for the code, to who has the secret and the
// verifier of the challenge.
func (i *issuer) exchange(t testing.TB, w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.exchanges++
	user, password, _ := r.BasicAuth()
	password, _ = url.QueryUnescape(password)
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if user != clientID || password != secret || r.FormValue("code") != "the code" || r.FormValue("grant_type") != "authorization_code" ||
		r.FormValue("redirect_uri") != callback || text(challenge[:]) != i.asked.Get("code_challenge") {
		answer(t, w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	claims := map[string]any{"iss": i.URL, "aud": clientID, "sub": "4711", "nonce": i.asked.Get("nonce"), "exp": time.Now().Add(time.Minute).Unix(),
		"iat": time.Now().Unix(), "email": "ann@example.com", "email_verified": true, "groups": []string{"staff", "operators"}}
	maps.Copy(claims, i.claims)
	answer(t, w, http.StatusOK, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": i.sign(claims)})
}

func answer(t testing.TB, w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		t.Error(err)
	}
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unsigned(t testing.TB, header string, claims map[string]any) string {
	body, err := json.Marshal(claims)
	if err != nil {
		t.Error(err)
	}
	return text([]byte(header)) + "." + text(body)
}

func signed(t testing.TB, key *rsa.PrivateKey, claims map[string]any) string {
	what := unsigned(t, `{"alg":"RS256","kid":"1"}`, claims)
	sum := sha256.Sum256([]byte(what))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Error(err)
	}
	return what + "." + text(signature)
}

func (i *issuer) options() openid.Options {
	return openid.Options{Issuer: i.URL, ClientID: clientID, ClientSecret: secret, RedirectURL: callback, Scopes: []string{"openid", "email"}, Claim: "groups",
		Grants: []openid.Grant{{Value: "admins", Role: access.RoleAdmin, Project: "*"}, {Value: "operators", Role: access.RoleOperate, Project: "acme"}}}
}

var attempt = session.Attempt{State: "the state of it", Nonce: "the nonce of it", Verifier: strings.Repeat("v", 52)}

// signIn goes all the way, with what a browser comes back with.
func (i *issuer) signIn(t *testing.T, o openid.Options, back url.Values) (access.Person, error) {
	t.Helper()
	p := openid.New(o)
	address, err := p.Ask(t.Context(), attempt)
	if err != nil {
		return access.Person{}, err
	}
	i.came(t, address)
	return p.Vouch(t.Context(), back, attempt)
}

// came notes with what a browser came.
func (i *issuer) came(t testing.TB, address string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked = u.Query()
}

func back() url.Values { return url.Values{"code": {"the code"}, "state": {attempt.State}} }

func TestSignIn(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	person, err := i.signIn(t, i.options(), back())
	if err != nil || person != (access.Person{Name: "ann@example.com", Role: access.RoleOperate, Project: "acme"}) {
		t.Fatalf("%+v, %v", person, err)
	}
	want := map[string]string{"client_id": clientID, "redirect_uri": callback, "response_type": "code", "scope": "openid email", "state": attempt.State,
		"nonce": attempt.Nonce, "code_challenge_method": "S256"}
	for name, value := range want {
		if i.asked.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, i.asked.Get(name), value)
		}
	}
	if q := i.asked.Encode(); strings.Contains(q, secret) || strings.Contains(q, attempt.Verifier) {
		t.Errorf("the browser is told too much: %s", q)
	}
	answered := back()
	answered.Set("iss", i.URL)
	if _, err := i.signIn(t, i.options(), answered); err != nil {
		t.Error(err)
	}
}

// TestWhatIsNotBelieved: a token that is not for us, not of the issuer, not now,
// or not signed by its key, lets nobody in.
func TestWhatIsNotBelieved(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(name string, value any) func(*issuer) { return func(i *issuer) { i.claims[name] = value } }
	sign := func(sign func(i *issuer, claims map[string]any) string) func(*issuer) {
		return func(i *issuer) { i.sign = func(c map[string]any) string { return sign(i, c) } }
	}
	for name, lie := range map[string]func(*issuer){
		"another nonce":       claim("nonce", "of another question"),
		"no nonce":            claim("nonce", ""),
		"another issuer":      claim("iss", "https://evil.example"),
		"another audience":    claim("aud", "another client"),
		"expired":             claim("exp", time.Now().Add(-time.Minute).Unix()),
		"not yet":             claim("nbf", time.Now().Add(time.Hour).Unix()),
		"no subject":          func(i *issuer) { i.claims["sub"], i.claims["email_verified"] = "", false },
		"a name with a break": func(i *issuer) { i.claims["email"] = "ann\n@example.com" },
		"another party":       func(i *issuer) { i.claims["aud"], i.claims["azp"] = []string{clientID, "b"}, "b" },
		"another key":         sign(func(_ *issuer, c map[string]any) string { return signed(t, other, c) }),
		"no signature":        sign(func(_ *issuer, c map[string]any) string { return unsigned(t, `{"alg":"none"}`, c) + "." }),
		"RS256, unsigned":     sign(func(_ *issuer, c map[string]any) string { return unsigned(t, `{"alg":"RS256","kid":"1"}`, c) + "." }),
		"HMAC with the secret": sign(func(_ *issuer, c map[string]any) string {
			return hashed(t, []byte(secret), c)
		}),
		"HMAC with the public key": sign(func(i *issuer, c map[string]any) string {
			return hashed(t, i.key.N.Bytes(), c)
		}),
		"no token": sign(func(*issuer, map[string]any) string { return "" }),
		"nonsense": sign(func(*issuer, map[string]any) string { return "nonsense" }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			lie(i)
			person, err := i.signIn(t, i.options(), back())
			refused, ok := errors.AsType[*session.Refusal](err)
			if !ok || refused.Reason != session.Failed || person != (access.Person{}) {
				t.Errorf("%+v, %v", person, err)
			}
			if i.exchanges != 1 {
				t.Errorf("%d codes were exchanged", i.exchanges)
			}
		})
	}
}

func hashed(t *testing.T, key []byte, claims map[string]any) string {
	what := unsigned(t, `{"alg":"HS256","kid":"1"}`, claims)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(what))
	return what + "." + text(mac.Sum(nil))
}

// TestAnswersThatAreRefused before anything is exchanged, or because the code is
// not taken.
func TestAnswersThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		back      url.Values
		reason    session.Reason
		exchanges int
	}{
		"another state":  {url.Values{"code": {"the code"}, "state": {"another"}}, session.Stale, 0},
		"no state":       {url.Values{"code": {"the code"}}, session.Stale, 0},
		"denied":         {url.Values{"error": {"access_denied"}, "state": {attempt.State}}, session.Denied, 0},
		"another issuer": {url.Values{"code": {"the code"}, "state": {attempt.State}, "iss": {"https://evil.example"}}, session.Failed, 0},
		"another code":   {url.Values{"code": {"another"}, "state": {attempt.State}}, session.Failed, 2}, // once with each way to send the secret
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			_, err := i.signIn(t, i.options(), c.back)
			refused, ok := errors.AsType[*session.Refusal](err)
			if !ok || refused.Reason != c.reason || i.exchanges > c.exchanges || strings.Contains(err.Error(), secret) {
				t.Errorf("%v, %d exchanges", err, i.exchanges)
			}
		})
	}
}

// TestGrants: the first that fits counts; nobody is let in by nothing.
func TestGrants(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	for name, c := range map[string]struct {
		claims map[string]any
		change func(*openid.Options)
		role   access.Role // "" for nobody
		name   string
	}{
		"two of them":          {map[string]any{"groups": []string{"operators", "admins"}}, nil, access.RoleAdmin, "ann@example.com"},
		"a text":               {map[string]any{"groups": "admins"}, nil, access.RoleAdmin, "ann@example.com"},
		"none of them":         {map[string]any{"groups": []string{"Admins", "admins "}}, nil, "", ""},
		"no claim":             {map[string]any{"groups": nil}, nil, "", ""},
		"numbers":              {map[string]any{"groups": []any{1, nil, []string{"admins"}}}, nil, "", ""},
		"everybody":            {map[string]any{"groups": nil}, func(o *openid.Options) { o.Grants[0].Value = "*" }, access.RoleAdmin, "ann@example.com"},
		"a path":               {map[string]any{"realm_access": map[string]any{"roles": []string{"admins"}}}, func(o *openid.Options) { o.Claim = "realm_access.roles" }, access.RoleAdmin, "ann@example.com"},
		"a path to nothing":    {map[string]any{"realm_access": "roles"}, func(o *openid.Options) { o.Claim = "realm_access.roles" }, "", ""},
		"a name with dots":     {map[string]any{"https://a.example/roles": []string{"admins"}}, func(o *openid.Options) { o.Claim = "https://a.example/roles" }, access.RoleAdmin, "ann@example.com"},
		"an address unproven":  {map[string]any{"email_verified": false}, nil, access.RoleOperate, "4711"},
		"the right domain":     {nil, func(o *openid.Options) { o.EmailDomains = []string{"Example.com"} }, access.RoleOperate, "ann@example.com"},
		"another domain":       {nil, func(o *openid.Options) { o.EmailDomains = []string{"ample.com"} }, "", ""},
		"the domain, unproven": {map[string]any{"email_verified": false}, func(o *openid.Options) { o.EmailDomains = []string{"example.com"} }, "", ""},
		"a domain before it":   {map[string]any{"email": "ann@example.com@evil.example"}, func(o *openid.Options) { o.EmailDomains = []string{"example.com"} }, "", ""},
	} {
		i.claims = map[string]any{}
		maps.Copy(i.claims, c.claims)
		o := i.options()
		if c.change != nil {
			c.change(&o)
		}
		person, err := i.signIn(t, o, back())
		refused, isRefusal := errors.AsType[*session.Refusal](err)
		if c.role == "" {
			if !isRefusal || refused.Reason != session.NoRole || refused.Name == "" {
				t.Errorf("%s: %+v, %v", name, person, err)
			}
			continue
		}
		if err != nil || person.Role != c.role || person.Name != c.name {
			t.Errorf("%s: %+v, %v", name, person, err)
		}
	}
}

// TestOnlyConfiguredHostsAreAsked, whatever the provider says of itself, and none
// that it redirects to.
func TestOnlyConfiguredHostsAreAsked(t *testing.T) {
	t.Parallel()
	var strange sync.Map
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { strange.Store(r.URL.Path, true) }))
	t.Cleanup(elsewhere.Close)
	for _, endpoint := range []string{"authorization_endpoint", "token_endpoint", "jwks_uri"} {
		i := newIssuer(t)
		i.discovery[endpoint] = elsewhere.URL + "/" + endpoint
		if person, err := i.signIn(t, i.options(), back()); err == nil {
			t.Errorf("%s elsewhere: %+v", endpoint, person)
		}
	}
	i := newIssuer(t)
	redirects := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/redirected", http.StatusTemporaryRedirect))
	t.Cleanup(redirects.Close)
	i.discovery["token_endpoint"] = redirects.URL
	o := i.options()
	o.Hosts = []string{strings.TrimPrefix(redirects.URL, "http://")}
	if person, err := i.signIn(t, o, back()); err == nil {
		t.Errorf("redirected: %+v", person)
	}
	strange.Range(func(path, _ any) bool { t.Errorf("%v was asked for elsewhere", path); return true })
	allowed := i.options()
	allowed.Hosts = []string{strings.TrimPrefix(elsewhere.URL, "http://")}
	i.discovery["token_endpoint"] = elsewhere.URL + "/token"
	_, _ = i.signIn(t, allowed, back())
	if _, asked := strange.Load("/token"); !asked {
		t.Error("a host that was configured is not asked")
	}
	i.discovery = map[string]any{"issuer": "https://evil.example"}
	if _, err := i.signIn(t, i.options(), back()); err == nil {
		t.Errorf("an issuer by another name is believed: %v", err)
	}
}

// TestProviderAway: it is looked for again when it is back.
func TestProviderAway(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	p := openid.New(i.options())
	i.discovery["issuer"] = 5
	if _, err := p.Ask(t.Context(), attempt); err == nil {
		t.Error("it is asked for nothing")
	}
	delete(i.discovery, "issuer")
	if _, err := p.Ask(t.Context(), attempt); err != nil {
		t.Error(err)
	}
}
