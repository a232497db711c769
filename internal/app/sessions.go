package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/openid"
	"github.com/busuhq/busu/internal/session"
)

// startSessions follows what all processes know of browsers that have signed in.
func startSessions(cfg config.Config, keys *access.Keys, s *stores, m *migration, log *slog.Logger, life *lifecycle) *session.Sessions {
	sessions := &session.Sessions{Keys: keys, Idle: cfg.Sessions.Idle, Lifetime: cfg.Sessions.Lifetime, Terms: termsOf(cfg.OIDC)}
	life.start("sessions", m.then(func(ctx context.Context) error { return sessions.Follow(ctx, s.postgres, log) }))
	return sessions
}

// termsOf is what persons are let in under, in a few bytes: those who were let in
// under others sign in again.
func termsOf(o config.OIDC) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q", o.Issuer, o.ClientID, o.Claim, o.Roles, o.EmailDomains))
	return hex.EncodeToString(sum[:8])
}

// newSignOn is where people sign in who have no key; nil for nowhere.
func newSignOn(o config.OIDC) *httpapi.SignOn {
	if o.Issuer == "" {
		return nil
	}
	options := openid.Options{Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(), RedirectURL: o.RedirectURL,
		Scopes: o.Scopes, Claim: o.Claim, EmailDomains: o.EmailDomains, Hosts: o.Hosts}
	for _, r := range o.Roles {
		options.Grants = append(options.Grants, openid.Grant{Value: r.Value, Role: r.Role, Project: r.Project})
	}
	return &httpapi.SignOn{Name: o.Name, Callback: o.RedirectURL, Provider: openid.New(options)}
}
