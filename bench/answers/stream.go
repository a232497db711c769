package answers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// listened is how a streamed answer came.
type listened struct {
	text    strings.Builder
	pieces  int           // with text
	first   time.Duration // until the first of them
	longest time.Duration // between two of them
	pauses  int           // longer than what was given
	ended   bool          // it said so
}

var (
	errUnended = errors.New("the stream did not say that it ended")
	errAfter   = errors.New("something came after the end")
)

// chunk is what is read of an event.
type chunk struct {
	Choices []struct {
		Delta struct{ Content string }
	}
}

// listen reads a stream of events to its end. A stream that breaks off, or goes
// on after its end, is an error.
func (l *listened) listen(r *http.Response, sent time.Time, stall time.Duration) error {
	if r.StatusCode != http.StatusOK {
		_, err := good(r)
		return err
	}
	in := bufio.NewReader(r.Body)
	last := time.Time{}
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		}
		if err != nil {
			return err
		}
		data, isData := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte("data: "))
		if !isData {
			continue
		}
		now := time.Now()
		if l.ended {
			return errAfter
		}
		if l.ended = string(data) == "[DONE]"; l.ended {
			continue
		}
		var c chunk
		if err := json.Unmarshal(data, &c); err != nil {
			return fmt.Errorf("an event cannot be read: %w: %.200s", err, data)
		}
		if len(c.Choices) == 0 || c.Choices[0].Delta.Content == "" {
			continue
		}
		l.piece(c.Choices[0].Delta.Content, now, last, sent, stall)
		last = now
	}
	if !l.ended {
		return errUnended
	}
	return nil
}

func (l *listened) piece(text string, now, last, sent time.Time, stall time.Duration) {
	l.text.WriteString(text)
	l.pieces++
	if last.IsZero() {
		l.first = now.Sub(sent)
		return
	}
	pause := now.Sub(last)
	l.longest = max(l.longest, pause)
	if pause > stall {
		l.pauses++
	}
}
