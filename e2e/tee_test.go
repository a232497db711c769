package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// tee stands between the clients and busu and copies bytes both ways, as they
// come. It knows nothing of HTTP, so that it has no part in a stream: what
// passed is kept, and read when all is over.
type tee struct {
	net.Listener
	busu    string // its address
	copying sync.WaitGroup

	mu    sync.Mutex
	talks []*talk
}

// talk is what passed on one connection.
type talk struct {
	client, busu    net.Conn
	asked, answered bytes.Buffer
	over            atomic.Bool // busu has ended it
	left            atomic.Bool // the client ended it before
}

func newTee(busu string) (*tee, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tee{Listener: l, busu: busu}
	t.copying.Go(t.accept)
	return t, nil
}

func (t *tee) accept() {
	for {
		client, err := t.Accept()
		if err != nil {
			return // closed
		}
		busu, err := net.Dial("tcp", t.busu)
		if err != nil {
			_ = client.Close()
			continue
		}
		talk := &talk{client: client, busu: busu}
		t.mu.Lock()
		t.talks = append(t.talks, talk)
		t.mu.Unlock()
		t.copying.Go(talk.copy)
	}
}

// copy copies both ways until both have ended.
func (t *talk) copy() {
	var asking sync.WaitGroup
	asking.Go(func() {
		pass(t.busu, t.client, &t.asked)
		t.left.Store(!t.over.Load())
	})
	pass(t.client, t.busu, &t.answered)
	t.over.Store(true)
	asking.Wait()
	_, _ = t.client.Close(), t.busu.Close()
}

// pass copies from one side to the other, and passes on how it ended: who has
// said everything may still be listening, who takes no more is gone.
func pass(to, from net.Conn, kept *bytes.Buffer) {
	if _, err := io.Copy(to, io.TeeReader(from, kept)); err != nil {
		_, _ = to.Close(), from.Close()
		return
	}
	_ = to.(*net.TCPConn).CloseWrite()
}

// end closes everything and gives what passed.
func (t *tee) end() []*talk {
	_ = t.Close()
	t.mu.Lock()
	for _, talk := range t.talks {
		_, _ = talk.client.Close(), talk.busu.Close()
	}
	t.mu.Unlock()
	t.copying.Wait()
	return t.talks
}

// exchange is a request with its answer.
type exchange struct {
	request  *http.Request
	asked    []byte
	response *http.Response
	body     []byte
	cut      bool // the client left before the body had ended
}

// read takes a connection's exchanges apart. What the client did not wait for
// may be missing; what busu did not say may not.
func (t *talk) read() (all []exchange, err error) {
	asked, answered := bufio.NewReader(&t.asked), bufio.NewReader(&t.answered)
	for {
		var e exchange
		if e.request, err = http.ReadRequest(asked); err != nil {
			return all, nil // no more, or not whole
		}
		if e.asked, err = io.ReadAll(e.request.Body); err != nil {
			return all, nil
		}
		if e.response, err = readResponse(answered, e.request); err == nil {
			e.body, err = io.ReadAll(e.response.Body)
		}
		switch left := t.left.Load(); {
		case e.response == nil && left:
			return all, nil
		case err != nil && !left:
			return all, fmt.Errorf("%s %s: the answer broke off: %w", e.request.Method, e.request.URL.Path, err)
		}
		e.cut = err != nil
		if all = append(all, e); e.response.StatusCode == http.StatusSwitchingProtocols {
			return all, nil // and no HTTP any more
		}
	}
}

// readResponse passes over those that only say that there will be one.
func readResponse(from *bufio.Reader, r *http.Request) (*http.Response, error) {
	for {
		response, err := http.ReadResponse(from, r)
		if err != nil {
			return nil, errors.Join(errors.New("no answer"), err)
		}
		if response.StatusCode >= http.StatusOK || response.StatusCode == http.StatusSwitchingProtocols {
			return response, nil
		}
	}
}
