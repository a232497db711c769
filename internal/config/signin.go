package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/access"
)

// Sessions are those of browsers that have signed in.
type Sessions struct {
	Idle     time.Duration // how long one goes on that nothing is heard of
	Lifetime time.Duration // how long one goes on at most
	// Proxies may say for whom they ask, and how: X-Forwarded-For and -Proto of
	// others are not looked at.
	Proxies []netip.Prefix
}

// OIDC is an identity provider that vouches for people who have no key.
type OIDC struct {
	Name         string // as people know it
	Issuer       string // "": there is none
	ClientID     string
	ClientSecret Secret // BUSU_OIDC_CLIENT_SECRET; unset for a public client
	RedirectURL  string // of /session/oidc/callback, as browsers see it
	Scopes       []string
	Claim        string     // of the ID token, whose values give roles
	Roles        []OIDCRole // the first that fits counts; never empty
	EmailDomains []string   // of who may sign in; none: any
	Hosts        []string   // that may be asked beyond the issuer's own
}

// OIDCRole is what one value of the claim gives.
type OIDCRole struct {
	Value   string // Everybody fits any
	Role    access.Role
	Project string
}

// Everybody is the value that everybody has.
const Everybody = "*"

const (
	oidcSecret   = "BUSU_OIDC_CLIENT_SECRET"
	oidcCallback = "/session/oidc/callback"
	leastIdle    = time.Minute
	mostLifetime = 30 * day
)

func (l *loader) sessionsSection(v value) {
	s := &l.cfg.Sessions
	v.object(
		field{"idle", func(v value) { v.duration(&s.Idle, leastIdle, mostLifetime) }},
		field{"lifetime", func(v value) { v.duration(&s.Lifetime, leastIdle, mostLifetime) }},
		field{"proxies", func(v value) { v.list(func(v value) { proxy(v, s) }) }},
	)
}

func proxy(v value, s *Sessions) {
	var text string
	if !v.filled(&text) {
		return
	}
	network, err := netip.ParsePrefix(text)
	if a, isAddr := netip.ParseAddr(text); isAddr == nil && a.Zone() == "" {
		network, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch network = network.Masked(); {
	case err != nil:
		v.wrong(v.path+" "+shorten(text)+" is no address and no network", "write it like 10.1.2.3 or 10.0.0.0/8")
	case !slices.Contains(s.Proxies, network):
		s.Proxies = append(s.Proxies, network)
	}
}

func (l *loader) oidc(v value) {
	o := OIDC{Scopes: []string{"openid", "email", "profile"}, Claim: "groups"}
	given := v.object(
		field{"name", func(v value) { v.filled(&o.Name) }},
		field{"issuer", func(v value) { o.Issuer = oidcAddress(v) }},
		field{"client_id", func(v value) { v.filled(&o.ClientID) }},
		field{"redirect_url", func(v value) { o.RedirectURL = callback(v) }},
		field{"scopes", func(v value) { o.Scopes = append([]string{"openid"}, words(v, "openid")...) }},
		field{"claim", func(v value) { v.filled(&o.Claim) }},
		field{"roles", func(v value) { v.list(func(v value) { oidcRole(v, &o) }) }},
		field{"email_domains", func(v value) { o.EmailDomains = words(v) }},
		field{"hosts", func(v value) { o.Hosts = words(v) }},
	)
	for _, needed := range []string{"issuer", "client_id", "redirect_url", "roles"} {
		if _, ok := given[needed]; !ok {
			v.wrong(v.path+" has no "+needed, "see docs/sessions.md, which has an example")
			return
		}
	}
	if o.Issuer == "" || o.RedirectURL == "" || o.ClientID == "" || len(o.Roles) == 0 {
		if len(o.Roles) == 0 && o.Issuer != "" && o.RedirectURL != "" && o.ClientID != "" {
			v.wrong(v.path+".roles lets nobody in", `add such as {value: admins, role: admin, project: "*"}`)
		}
		return
	}
	if o.Name == "" {
		u, _ := url.Parse(o.Issuer)
		o.Name = u.Hostname()
	}
	o.ClientSecret, _ = l.env.secret(oidcSecret)
	if !l.cfg.AdminKey.IsSet() && (l.cfg.Process == API || l.cfg.Process == All) {
		l.warn("oidc has no effect without BUSU_ADMIN_KEY: everybody on this machine is the admin")
	}
	l.cfg.OIDC = o
}

// words reads a list of texts, each once, without some.
func words(v value, without ...string) (all []string) {
	v.list(func(v value) {
		var word string
		if v.filled(&word) && !slices.Contains(all, word) && !slices.Contains(without, word) {
			all = append(all, word)
		}
	})
	return all
}

// oidcAddress reads an address that secrets are sent to or come from: over TLS,
// but on this machine.
func oidcAddress(v value) string {
	var raw string
	if !v.filled(&raw) {
		return ""
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		v.wrong(v.path+" is not the address of a host, without user, ? and #", "write it like https://login.example.com")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		v.wrong(v.path+" is not an https address", "write it like https://login.example.com; http is for this machine only")
	default:
		return raw
	}
	return ""
}

func callback(v value) string {
	raw := oidcAddress(v)
	if raw != "" && !strings.HasSuffix(raw, oidcCallback) {
		v.wrong(v.path+" does not end in "+oidcCallback, "write the dashboard's own address with that behind it, such as https://busu.example.com"+oidcCallback)
		return ""
	}
	return raw
}

func oidcRole(v value, o *OIDC) {
	r := OIDCRole{Project: "default"}
	var role string
	v.object(
		field{"value", func(v value) { v.filled(&r.Value) }},
		field{"role", func(v value) {
			v.choice(&role, string(access.RoleAdmin), string(access.RoleOperate), string(access.RoleRead))
		}},
		field{"project", func(v value) { v.filled(&r.Project) }},
	)
	r.Role = access.Role(role)
	switch {
	case r.Value == "" || role == "":
		v.wrong(v.path+" needs a value and a role", `write it like {value: admins, role: admin, project: "*"}`)
	case r.Project == access.AllProjects && r.Role == access.RoleRead:
		v.wrong(v.path+".project is *, which only the roles admin and operate may have", "name one project")
	case r.Project != access.AllProjects && !access.IsProject(r.Project):
		v.wrong(fmt.Sprintf("%s.project %q cannot be the name of a project", v.path, shorten(r.Project)), "use 1 to 64 letters, digits, dots, dashes and underscores, or * for all")
	default:
		o.Roles = append(o.Roles, r)
	}
}

func (p *printer) signIn(c Config) {
	proxies := make([]string, len(c.Sessions.Proxies))
	for i, network := range c.Sessions.Proxies {
		proxies[i] = network.String()
	}
	p.line("\nsessions:\n  idle: %s\n  lifetime: %s\n  proxies: [%s]", formatDuration(c.Sessions.Idle), formatDuration(c.Sessions.Lifetime), list(proxies))
	o := c.OIDC
	if o.Issuer == "" {
		return
	}
	p.line("\noidc:\n  name: %s\n  issuer: %s\n  client_id: %s", quote(o.Name), quote(o.Issuer), quote(o.ClientID))
	p.line("  redirect_url: %s\n  scopes: [%s]\n  claim: %s", quote(o.RedirectURL), list(o.Scopes), quote(o.Claim))
	p.line("  roles:")
	for _, r := range o.Roles {
		p.line("    - {value: %s, role: %s, project: %s}", quote(r.Value), r.Role, quote(r.Project))
	}
	p.line("  email_domains: [%s]\n  hosts: [%s]", list(o.EmailDomains), list(o.Hosts))
}
