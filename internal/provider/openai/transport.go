package openai

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// clientWithoutRedirects copies given, or makes a client, that hands redirects
// back as answers: following one would show the key to whoever it points at.
func clientWithoutRedirects(given *http.Client) *http.Client {
	client := &http.Client{}
	if given == nil {
		client.Transport = newTransport()
	} else {
		*client = *given
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// newTransport keeps many connections to the one host: opening one costs more
// than busu's own work for a request. Waiting for the answer is not limited
// here, because models may think for minutes; the call's deadline is.
func newTransport() *http.Transport {
	dialer := net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// A dead HTTP/2 connection would otherwise swallow every call on it.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

const (
	maxAnswer     = 8 << 20  // bytes; the longest answers of 32,000 tokens have a few hundred thousand
	maxEmbeddings = 64 << 20 // bytes; those of 2,000 texts have about half
	maxErrorBytes = 64 << 10 // read of an error; far less is quoted
)

var errTooLarge = errors.New("the answer is too large")

// readBounded reads all of r, or fails with errTooLarge beyond limit bytes.
func readBounded(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: it is larger than %d MiB", errTooLarge, limit>>20)
	}
	return body, err
}

func timedOut(err error) bool {
	var netError net.Error
	return errors.As(err, &netError) && netError.Timeout()
}
