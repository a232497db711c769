package answers

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// caller sends requests to one address over connections that it keeps. It does
// little, because its work is on the cores that are measured: a request is
// bytes that are ready, and whoever asks reads the answer.
type caller struct {
	addr string

	mu   sync.Mutex
	idle []*connection // the last used is used next
}

type connection struct {
	net.Conn
	in *bufio.Reader
}

const (
	answerWithin = 60 * time.Second
	benchKey     = "bench-key-of-this-run" // of the gateway, sent with every request
)

// request is one in its wire form.
func request(method, path, body string, headers ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n", method, path, benchKey)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return b.Bytes()
}

// Headers that say whether an answer may have been made before.
const (
	reuse = "X-Busu-Cache: default"
	fresh = "X-Busu-Cache: bypass"
)

func chatRequest(model, prompt string, stream bool, headers ...string) []byte {
	return request("POST", answering+"/chat/completions",
		fmt.Sprintf(`{"model":"%s","messages":[{"role":"user","content":"%s"}],"stream":%t}`, model, prompt, stream), headers...)
}

func (c *caller) take() (*connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.idle) - 1; last >= 0 {
		conn := c.idle[last]
		c.idle = c.idle[:last]
		return conn, nil
	}
	return c.dial()
}

func (c *caller) dial() (*connection, error) {
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return nil, err
	}
	return &connection{conn, bufio.NewReader(conn)}, nil
}

func (c *caller) giveBack(conn *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, conn)
}

// open opens connections until so many are idle.
func (c *caller) open(n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.idle) < n {
		conn, err := c.dial()
		if err != nil {
			return err
		}
		c.idle = append(c.idle, conn)
	}
	return nil
}

func (c *caller) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.idle {
		_ = conn.Close()
	}
	c.idle = nil
}

// send sends a request and lets read take the answer.
func (c *caller) send(request []byte, read func(*http.Response) error) error {
	conn, err := c.take()
	if err != nil {
		return err
	}
	err = conn.exchange(request, read)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	c.giveBack(conn)
	return nil
}

func (conn *connection) exchange(request []byte, read func(*http.Response) error) error {
	if err := conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	response, err := http.ReadResponse(conn.in, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := read(response); err != nil {
		return err
	}
	if response.Close {
		return errors.New("the server closes the connection")
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// statusError is an answer that is none.
type statusError struct {
	status int
	body   string
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %.300s", e.status, e.body) }

// good fails for other than 200, and gives the body.
func good(r *http.Response) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = &statusError{r.StatusCode, string(body)}
	}
	return body, err
}

// answered takes an answer that must hold a text.
func answered(text string) func(*http.Response) error {
	quoted := []byte(quoted(text))
	return func(r *http.Response) error {
		body, err := good(r)
		if err == nil && !bytes.Contains(body, quoted) {
			err = fmt.Errorf("it is no answer to what was asked: %.300s", body)
		}
		return err
	}
}
