package httpapi

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/messages"
)

// anthropicMessages answers clients of Anthropic, by models whose providers
// speak their format.
func (a *API) anthropicMessages(c echo.Context) error {
	body, err := readBody(c.Request())
	if err != nil {
		return err
	}
	asked, err := messages.Parse(body)
	if err != nil {
		return err
	}
	asked.Headers = map[string]string{}
	for _, name := range messages.Headers() {
		if values := c.Request().Header.Values(name); len(values) > 0 {
			asked.Headers[name] = strings.Join(values, ",") // RFC 9110, 5.3: the same as one list
		}
	}
	r, err := a.vendorRequest(c, asked.Request, asked.User)
	if err != nil {
		return err
	}
	if asked.Stream {
		return a.answerInPieces(c, r, messagesStream{})
	}
	answer, err := a.answerWhole(c, r)
	if err != nil {
		return err
	}
	return c.JSONBlob(http.StatusOK, priced(answer.Body, answer.Fact))
}

// messagesStream is Anthropic's dialect: events by name, as the vendor sends
// them.
type messagesStream struct{}

func (s messagesStream) piece(out *eventWriter, _ *event.CompletionRecorded, c llm.Chunk) error {
	return out.event(c.Event, "", c.Data)
}

// end puts the cost beside the final count of tokens.
func (s messagesStream) end(out *eventWriter, answer gateway.Answer) error {
	for _, c := range answer.Tail {
		if c.Event == "message_delta" {
			c.Data = priced(c.Data, answer.Fact)
		}
		if err := s.piece(out, answer.Fact, c); err != nil {
			return err
		}
	}
	return nil
}

func (s messagesStream) fail(out *eventWriter, p problem) error {
	return writeEvent(out, "error", anthropicErrorOf(asVendor(p)))
}
