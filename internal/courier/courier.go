// Package courier delivers webhooks over HTTP, and only to where they may go.
//
// Whoever may start an experiment names an address that this machine calls, from
// inside the operator's network. So a name is not trusted, nor what it resolved
// to a moment ago: the address that is dialled is looked at when it is dialled.
// Redirects are not followed, no proxy is asked, and nothing of an answer is
// kept but its status.
package courier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/busuhq/busu/internal/webhook"
)

// Courier sends messages, any number at once.
type Courier struct {
	client   *http.Client
	allow    webhook.Allow
	resolver *net.Resolver // nil: the system's
	within   time.Duration // a call
}

// Limits of a call.
const (
	callWithin  = 15 * time.Second // Standard Webhooks asks for 15 to 30
	dialWithin  = 5 * time.Second
	mostHeaders = 64 << 10
	mostAnswer  = 64 << 10 // is read, so that a receiver that answers more is not cut off before it is done
	mostError   = 300      // bytes of what is written down
)

// New makes a courier that goes where allow lets it.
func New(allow webhook.Allow) *Courier {
	c := &Courier{allow: allow, within: callWithin}
	c.client = &http.Client{
		Transport: &http.Transport{
			DialContext:            c.dial,
			DisableKeepAlives:      true, // what was looked at once is looked at again
			DisableCompression:     true,
			MaxResponseHeaderBytes: mostHeaders,
			TLSHandshakeTimeout:    dialWithin,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// dial looks at what a name has resolved to, unless the name itself is allowed.
func (c *Courier) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialWithin, Resolver: c.resolver}
	if host, _, err := net.SplitHostPort(hostPort); err != nil || !c.allow.Host(host) {
		d.Control = c.look
	}
	return d.DialContext(ctx, network, hostPort)
}

// look is asked before each connection, with the address and not the name.
func (c *Courier) look(_, address string, _ syscall.RawConn) error {
	ip, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s is no address: %w", address, err)
	}
	return c.allow.Address(ip.Addr())
}

// Send sends a message once and says what came of it.
func (c *Courier) Send(ctx context.Context, m webhook.Claim, keys webhook.Keys, now time.Time) webhook.Attempt {
	a := webhook.Attempt{Number: m.Number, At: now.UTC()}
	began := time.Now()
	timed, cancel := context.WithTimeout(ctx, c.within)
	defer cancel()
	err := c.call(timed, m, keys, now, &a)
	a.TookMS = float64(time.Since(began).Microseconds()) / 1000
	switch {
	case err == nil:
	case ctx.Err() != nil:
		a.Error, a.CutOff = "the worker that sent it was stopped", true
	case timed.Err() != nil:
		a.Error = fmt.Sprintf("it took longer than %s", c.within)
	default:
		a.Error = strings.ToValidUTF8(cut(err.Error()), "")
	}
	return a
}

func cut(text string) string { return strings.ReplaceAll(text[:min(len(text), mostError)], "\x00", "") }

// call fails unless the answer is 2xx. Errors leave the address out, which may
// hold a secret.
func (c *Courier) call(ctx context.Context, m webhook.Claim, keys webhook.Keys, now time.Time, a *webhook.Attempt) error {
	if err := c.allow.CheckURL(m.URL); err != nil { // what was allowed at the start may no longer be
		return fmt.Errorf("the address %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return errors.New("the address cannot be called")
	}
	id := m.ID.String()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "busu")
	r.Header.Set(webhook.HeaderID, id)
	r.Header.Set(webhook.HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(webhook.HeaderSignature, keys.Sign(id, now, m.Body))
	response, err := c.client.Do(r)
	var called *url.Error
	if errors.As(err, &called) {
		return called.Err
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	a.Status = response.StatusCode
	a.RetryAfter = webhook.RetryAfter(response.Header.Get("Retry-After"), now)
	if response.StatusCode/100 == 2 {
		_, _ = io.CopyN(io.Discard, response.Body, mostAnswer) // it has said that it has it
		return nil
	}
	if response.StatusCode/100 == 3 {
		return fmt.Errorf("the answer is %d: redirects are not followed", response.StatusCode)
	}
	return fmt.Errorf("the answer is %d", response.StatusCode)
}
