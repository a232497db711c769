package certificate

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is the time between two looks at the files, which are a few
// kilobytes. A new certificate is shown that much later at most. Files are
// compared by what is in them: time stamps of links that move say little.
const lookEvery = 10 * time.Second

// Keeper holds what listeners show, and takes over what is new in the files. It
// is safe for concurrent use.
type Keeper struct {
	files  Files
	read   func(string) ([]byte, error)
	oldest uint16
	log    *slog.Logger

	shown   atomic.Pointer[tls.Config]
	current atomic.Pointer[Shown]

	mu      sync.Mutex
	refused string // what was last said of the files; "": they are well
}

// Keep reads the files, which are to be well at the beginning. oldest is the
// version of TLS that clients need to speak, such as tls.VersionTLS12.
func Keep(files Files, oldest uint16, read func(string) ([]byte, error), now time.Time, log *slog.Logger) (*Keeper, error) {
	k := &Keeper{files: files, read: read, oldest: oldest, log: log}
	s, err := files.Read(read, now)
	if err != nil {
		return nil, err
	}
	k.show(s)
	return k, nil
}

// Config is for any number of listeners. Connections that are there keep what
// they have seen; each new one gets what is current.
func (k *Keeper) Config() *tls.Config {
	return &tls.Config{MinVersion: k.oldest, NextProtos: protocols(),
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return k.shown.Load(), nil }}
}

// protocols are what is spoken over TLS: HTTP/2, and HTTP/1.1 for WebSockets and
// for clients that know no other.
func protocols() []string { return []string{"h2", "http/1.1"} }

func (k *Keeper) show(s *Shown) {
	c := &tls.Config{MinVersion: k.oldest, NextProtos: protocols(), Certificates: []tls.Certificate{s.pair}}
	if s.clients != nil {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, s.clients
		// Who comes again by a ticket shows no certificate: an authority that was
		// taken out would go on letting its clients in.
		c.SessionTicketsDisabled = true
	}
	k.current.Store(s)
	k.shown.Store(c)
}

// Expires is when the certificate that is shown does.
func (k *Keeper) Expires() time.Time { return k.current.Load().Expires }

// Refused reports whether the files have something that cannot be shown.
func (k *Keeper) Refused() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.refused != ""
}

// Run looks at the files until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			k.Look(time.Now())
		}
	}
}

// Look takes over what is new in the files. What cannot be shown is said once,
// and what was shown before goes on.
func (k *Keeper) Look(now time.Time) {
	s, err := k.files.Read(k.read, now)
	if err != nil {
		s, err = k.files.Read(k.read, now) // one file may have been read before they were replaced, the other after
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch before := k.current.Load(); {
	case err != nil:
		if text := err.Error(); text != k.refused {
			k.refused = text
			k.log.Error("the files of the certificate cannot be used; what they had before is shown on", "err", err, "expires", before.Expires)
		}
		return
	case s.sum != before.sum:
		k.show(s)
		k.log.Info("a new certificate is shown", "names", name(s.pair.Leaf), "expires", s.Expires)
	case k.refused != "":
		k.log.Info("the files of the certificate are well again", "expires", before.Expires)
	}
	k.refused = ""
}
