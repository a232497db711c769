package httpapi

import (
	"errors"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

// chatCompletions answers clients of OpenAI.
func (a *API) chatCompletions(c echo.Context) error {
	body, err := readBody(c.Request())
	if err != nil {
		return err
	}
	asked, err := chat.Parse(body)
	if err != nil {
		return err
	}
	r, err := a.vendorRequest(c, asked.Request, asked.User)
	if err != nil {
		return err
	}
	r.Metadata = asked.Metadata
	if asked.Stream {
		return a.answerInPieces(c, r, &chatStream{id: "chatcmpl-" + r.ID.String(), usage: asked.IncludeUsage})
	}
	answer, err := a.answerWhole(c, r)
	if err != nil {
		return err
	}
	out := a.buffer()
	*out = appendChat(*out, answer)
	if err := exchangeOf(c).send(*out); err != nil {
		return err // what was not sent the server may still be at
	}
	a.free(out)
	return nil
}

func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, errTooLarge
	}
	body, err := readAll(r)
	if err != nil {
		return nil, errors.Join(errUnread, err)
	}
	return body, nil
}

// readAll reads a body into as much room as it says it takes, unless that is so
// much that it has to be sent first.
func readAll(r *http.Request) ([]byte, error) {
	const most = 64 << 10
	if r.ContentLength < 0 || r.ContentLength > most {
		return io.ReadAll(r.Body)
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

// mostKept bounds the buffers that are kept for other answers, in bytes.
const mostKept = 64 << 10

// buffer is for an answer while it is sent: in the caches it must stay as it is,
// and a copy for each was a tenth of what a request took of memory.
func (a *API) buffer() *[]byte {
	if b, ok := a.buffers.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

func (a *API) free(b *[]byte) {
	if cap(*b) <= mostKept {
		*b = (*b)[:0]
		a.buffers.Put(b)
	}
}

// appendChat appends a whole answer: the vendor's own where there is one, with the
// cost put in.
func appendChat(out []byte, answer gateway.Answer) []byte {
	f := answer.Fact
	body := answer.Body
	if body == nil {
		answer.Usage = gateway.Usage(f)
		body = chat.EncodeResponse(answer.Response, "chatcmpl-"+f.ID.String(), f.At, f.Model)
	}
	return chat.AppendWithCost(out, body, gateway.Usage(f), pricing.Nanos(f.CostNanos).String())
}

// priced is a vendor's answer, or a piece of one, with the cost put in.
func priced(body []byte, f *event.CompletionRecorded) []byte {
	return chat.WithCost(body, gateway.Usage(f), pricing.Nanos(f.CostNanos).String())
}

// chatStream is OpenAI's dialect: pieces without names, and [DONE] after the
// last one of a whole answer.
type chatStream struct {
	id    string
	usage bool // the client asked for a piece that tells the usage
	began bool
}

var chatDone = []byte("[DONE]")

func (s *chatStream) piece(out *eventWriter, f *event.CompletionRecorded, c llm.Chunk) error {
	if isUsage(c) {
		return nil // comes at the end, with the cost
	}
	return out.event("", "", s.encode(f, c))
}

func (s *chatStream) encode(f *event.CompletionRecorded, c llm.Chunk) []byte {
	data := c.Data
	if data == nil {
		data = chat.EncodeChunk(chat.Head{ID: s.id, Created: f.At, Model: f.Model}, c, !s.began)
	}
	s.began = true
	return data
}

// isUsage reports whether a piece tells the usage and nothing else.
func isUsage(c llm.Chunk) bool {
	if c.Data != nil {
		return chat.UsageOnly(c.Data)
	}
	return c.Usage != nil && c.Empty()
}

// end puts the cost where the client looks for the usage: into the piece that
// it asked for, else into the last one of the answer.
func (s *chatStream) end(out *eventWriter, answer gateway.Answer) error {
	f := answer.Fact
	var pieces [][]byte
	var usage []byte
	for _, c := range answer.Tail {
		if isUsage(c) {
			usage = s.encode(f, c)
			continue
		}
		c.Usage = nil
		pieces = append(pieces, s.encode(f, c))
	}
	if s.usage {
		if usage == nil {
			u := gateway.Usage(f)
			usage = s.encode(f, llm.Chunk{Usage: &u})
		}
		pieces = append(pieces, usage)
	}
	if len(pieces) > 0 {
		last := &pieces[len(pieces)-1]
		*last = priced(*last, f)
	}
	for _, data := range append(pieces, chatDone) {
		if err := out.event("", "", data); err != nil {
			return err
		}
	}
	return nil
}

func (s *chatStream) fail(out *eventWriter, p problem) error {
	return writeEvent(out, "", openAIErrorOf(asVendor(p)))
}
