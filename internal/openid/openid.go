// Package openid signs people in with OpenID Connect: the authorization code
// flow, with PKCE, state and nonce. Whom the provider vouches for gets a role by
// one of its claims.
//
// What a provider signs is verified by go-oidc: issuer, audience, time and
// signature, by an algorithm with a public key.
package openid

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/session"
)

// Options are an identity provider, and what it is believed.
type Options struct {
	Issuer       string
	ClientID     string
	ClientSecret string // "": a public client
	RedirectURL  string
	Scopes       []string
	Claim        string   // of the ID token: its name, or a path with dots
	Grants       []Grant  // the first that fits counts
	EmailDomains []string // none: any
	Hosts        []string // that may be asked beyond the issuer's own
}

// Grant is what one value of the claim gives. The value * is everybody's.
type Grant struct {
	Value   string
	Role    access.Role
	Project string
}

const everybody = "*"

// Provider is an identity provider. It is asked when somebody first signs in, so
// that busu starts without it.
type Provider struct {
	options Options
	client  *http.Client
	found   atomic.Pointer[found]
}

// found is what a provider says of itself.
type found struct {
	flow     oauth2.Config
	verifier *oidc.IDTokenVerifier
}

// New makes a Provider.
func New(o Options) *Provider {
	return &Provider{options: o, client: confinedTo(o)}
}

// discover asks the provider where it does what, once.
func (p *Provider) discover(ctx context.Context) (*found, error) {
	if f := p.found.Load(); f != nil {
		return f, nil
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.options.Issuer)
	if err != nil {
		return nil, fmt.Errorf("ask the identity provider about itself: %w", err)
	}
	f := &found{
		flow: oauth2.Config{ClientID: p.options.ClientID, ClientSecret: p.options.ClientSecret, Endpoint: provider.Endpoint(),
			RedirectURL: p.options.RedirectURL, Scopes: p.options.Scopes},
		verifier: provider.Verifier(&oidc.Config{ClientID: p.options.ClientID}),
	}
	if p.options.ClientSecret == "" {
		f.flow.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	if err := mayAsk(p.options, f.flow.Endpoint.AuthURL); err != nil {
		return nil, err
	}
	p.found.Store(f)
	return f, nil
}

// Ask implements httpapi.IdentityProvider.
func (p *Provider) Ask(ctx context.Context, a session.Attempt) (address string, err error) {
	f, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	return f.flow.AuthCodeURL(a.State, oauth2.S256ChallengeOption(a.Verifier), oidc.Nonce(a.Nonce)), nil
}

// Vouch implements httpapi.IdentityProvider.
func (p *Provider) Vouch(ctx context.Context, answer url.Values, a session.Attempt) (access.Person, error) {
	refuse := func(why session.Reason, err error) (access.Person, error) {
		return access.Person{}, &session.Refusal{Reason: why, Err: err}
	}
	if !same(answer.Get("state"), a.State) {
		return refuse(session.Stale, errors.New("the answer is to another question: its state differs"))
	}
	if said := answer.Get("error"); said != "" {
		return refuse(session.Denied, fmt.Errorf("the identity provider says %.200q", said))
	}
	if iss := answer.Get("iss"); iss != "" && iss != p.options.Issuer {
		return refuse(session.Failed, fmt.Errorf("another one answers: %.200q", iss))
	}
	f, err := p.discover(ctx)
	if err != nil {
		return refuse(session.Away, err)
	}
	ctx = oidc.ClientContext(ctx, p.client)
	tokens, err := f.flow.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(a.Verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return refuse(session.Failed, fmt.Errorf("the code is not taken: status %d, %.200q", refused.Response.StatusCode, refused.ErrorCode))
	}
	if err != nil {
		return refuse(session.Away, fmt.Errorf("exchange the code: %w", err))
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, err := f.verifier.Verify(ctx, raw)
	if err != nil {
		return refuse(session.Failed, fmt.Errorf("the ID token: %w", err))
	}
	if !same(token.Nonce, a.Nonce) {
		return refuse(session.Failed, errors.New("the ID token is for another question: its nonce differs"))
	}
	var c claims
	if err := token.Claims(&c.all); err != nil {
		return refuse(session.Failed, fmt.Errorf("the ID token: %w", err))
	}
	if len(token.Audience) > 1 && c.text("azp") != p.options.ClientID {
		return refuse(session.Failed, errors.New("the ID token was made for another client: its azp differs"))
	}
	return p.admit(token.Subject, c)
}

// admit gives a person the role that the first fitting grant gives.
func (p *Provider) admit(subject string, c claims) (access.Person, error) {
	email, domain := c.email()
	name := email
	if name == "" {
		name = subject
	}
	if !speakable(name) {
		return access.Person{}, &session.Refusal{Reason: session.Failed, Err: errors.New("the ID token names nobody, or by a name that cannot be written down")}
	}
	if d := p.options.EmailDomains; len(d) > 0 && !slices.ContainsFunc(d, func(one string) bool { return strings.EqualFold(one, domain) }) {
		return access.Person{}, &session.Refusal{Reason: session.NoRole, Name: name, Err: errors.New("no verified e-mail address of oidc.email_domains")}
	}
	has := c.values(p.options.Claim)
	for _, g := range p.options.Grants {
		if g.Value == everybody || slices.Contains(has, g.Value) {
			return access.Person{Name: name, Role: g.Role, Project: g.Project}, nil
		}
	}
	return access.Person{}, &session.Refusal{Reason: session.NoRole, Name: name,
		Err: fmt.Errorf("none of the %d values of the claim %q is in oidc.roles", len(has), p.options.Claim)}
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 && a != "" }

const (
	answersWithin = 10 * time.Second
	mostName      = 200 // bytes
)

// speakable reports whether a name can stand in the audit log.
func speakable(name string) bool {
	return name != "" && len(name) <= mostName && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}
