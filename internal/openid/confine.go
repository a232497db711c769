package openid

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
)

// mostAnswer bounds what is read of an answer, in bytes.
const mostAnswer = 1 << 20

// confined sends requests to the hosts that were configured and to no other,
// whatever a provider says of itself.
type confined struct {
	options Options
	next    http.RoundTripper
}

func confinedTo(o Options) *http.Client {
	return &http.Client{
		Timeout:   answersWithin,
		Transport: confined{o, http.DefaultTransport.(*http.Transport).Clone()},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // nobody who speaks OpenID Connect redirects here
		},
	}
}

// RoundTrip implements http.RoundTripper.
func (c confined) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := mayAsk(c.options, r.URL.String()); err != nil {
		return nil, err
	}
	answer, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = bounded{io.LimitReader(answer.Body, mostAnswer), answer.Body}
	return answer, nil
}

type bounded struct {
	io.Reader
	io.Closer
}

// mayAsk refuses addresses on hosts that were not configured, and those that are
// less secret than the issuer's.
func mayAsk(o Options, address string) error {
	issuer, err := url.Parse(o.Issuer)
	if err != nil {
		return err
	}
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if u.Scheme != "https" && u.Scheme != issuer.Scheme {
		return fmt.Errorf("the identity provider names an address of %s that is not https", u.Host)
	}
	if u.Host != issuer.Host && !slices.Contains(o.Hosts, u.Host) {
		return fmt.Errorf("the identity provider names the host %s: add it to oidc.hosts in busu.yaml, if it is right", u.Host)
	}
	return nil
}
