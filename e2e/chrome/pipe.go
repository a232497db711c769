package chrome

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// pipe speaks the DevTools protocol over two pipes: JSON, ended by a zero byte.
type pipe struct {
	out io.Writer

	mu       sync.Mutex
	last     int
	waiting  map[int]chan message
	sessions map[string]func(method string, params json.RawMessage)
	broken   chan struct{} // closed when the browser says nothing more
}

type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
		Data    string `json:"data"`
	} `json:"error,omitempty"`
}

func newPipe(in io.Reader, out io.Writer) *pipe {
	p := &pipe{out: out, waiting: map[int]chan message{}, sessions: map[string]func(string, json.RawMessage){}, broken: make(chan struct{})}
	go p.read(bufio.NewReaderSize(in, 1<<16))
	return p
}

func (p *pipe) read(in *bufio.Reader) {
	defer close(p.broken)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &m) == nil {
			p.deliver(m)
		}
	}
}

func (p *pipe) deliver(m message) {
	p.mu.Lock()
	answer, told := p.waiting[m.ID], p.sessions[m.Session]
	delete(p.waiting, m.ID)
	p.mu.Unlock()
	switch {
	case answer != nil:
		answer <- m
	case m.Method != "" && told != nil:
		told(m.Method, m.Params)
	}
}

// listen has told called with what happens in a session, in order. It must not
// call the browser.
func (p *pipe) listen(session string, told func(method string, params json.RawMessage)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions[session] = told
}

// call asks the browser, or in a session a tab of it, to do something.
func (p *pipe) call(ctx context.Context, session, method string, params, into any) error {
	body, err := json.Marshal(params)
	if err != nil {
		return err
	}
	answer, err := p.send(session, method, body)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			return fmt.Errorf("%s: %s %s", method, m.Error.Message, m.Error.Data)
		}
		if into == nil {
			return nil
		}
		return json.Unmarshal(m.Result, into)
	case <-p.broken:
		return fmt.Errorf("%s: %w", method, errors.New("the browser has ended"))
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, context.Cause(ctx))
	}
}

func (p *pipe) send(session, method string, params json.RawMessage) (<-chan message, error) {
	answer := make(chan message, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	text, err := json.Marshal(message{ID: p.last, Session: session, Method: method, Params: params})
	if err != nil {
		return nil, err
	}
	p.waiting[p.last] = answer
	_, err = p.out.Write(append(text, 0))
	return answer, err
}
