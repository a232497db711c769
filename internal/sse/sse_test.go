package sse_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/busuhq/busu/internal/sse"
)

func readAll(r io.Reader) (events []string, err error) {
	reader := sse.NewReader(r)
	for {
		e, err := reader.Next()
		if err != nil {
			return events, err
		}
		events = append(events, e.Name+"|"+e.ID+"|"+string(e.Data))
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"one":               {"data: a\n\n", []string{"||a"}},
		"no space":          {"data:a\n\n", []string{"||a"}},
		"two spaces":        {"data:  a\n\n", []string{"|| a"}},
		"named":             {"event: x\nid: 7\ndata: a\n\ndata: b\n\n", []string{"x|7|a", "||b"}},
		"several lines":     {"data: a\ndata:\ndata: b\n\n", []string{"||a\n\nb"}},
		"carriage returns":  {"data: a\r\rdata: b\r\r", []string{"||a", "||b"}},
		"windows line ends": {"data: a\r\n\r\ndata: b\r\n\r\n", []string{"||a", "||b"}},
		"comments":          {": hello\n\n:\n\ndata: a\n: between\n\n", []string{"||a"}},
		"unknown fields":    {"retry: 100\nwhat\ndata: a\n\n", []string{"||a"}},
		"without data":      {"event: ping\n\ndata: a\n\n", []string{"||a"}},
		"empty data":        {"data\n\n", []string{"||"}},
		"no blank line":     {"data: a\n\ndata: b\n", []string{"||a", "||b"}},
		"no line end":       {"data: a\n\ndata: b", []string{"||a", "||b"}},
		"nothing":           {"", nil},
		"blank lines":       {"\n\n\n", nil},
		"long":              {"data: " + strings.Repeat("x", 100_000) + "\n\n", []string{"||" + strings.Repeat("x", 100_000)}},
	} {
		for how, r := range map[string]io.Reader{
			"at once":       strings.NewReader(c.in),
			"byte by byte":  iotest.OneByteReader(strings.NewReader(c.in)),
			"data with EOF": iotest.DataErrReader(strings.NewReader(c.in)),
		} {
			got, err := readAll(r)
			if !errors.Is(err, io.EOF) || strings.Join(got, "\n--\n") != strings.Join(c.want, "\n--\n") || len(got) != len(c.want) {
				t.Errorf("%s, %s: read %q, %v, want %q", name, how, got, err, c.want)
			}
		}
	}
}

func TestBrokenStreamIsNoEnd(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	got, err := readAll(io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || len(got) != 1 {
		t.Errorf("read %q, %v", got, err)
	}
}

// endless never ends a line, or an event.
type endless string

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e)
	}
	return n, nil
}

func TestEndlessEventsAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []endless{"x", "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"} {
		if _, err := readAll(text); !errors.Is(err, sse.ErrTooLong) {
			t.Errorf("%.5q: %v", text, err)
		}
	}
}

// FuzzRoundTrip: what was written is read again.
func FuzzRoundTrip(f *testing.F) {
	f.Add("x", []byte("a\nb"))
	f.Add("", []byte(""))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if strings.ContainsAny(name, "\r\n") || bytes.ContainsRune(data, '\r') {
			t.Skip("a carriage return ends a line")
		}
		wire := sse.Append(nil, name, data)
		e, err := sse.NewReader(bytes.NewReader(append(wire, wire...))).Next()
		if err != nil || e.Name != name || !bytes.Equal(e.Data, data) {
			t.Fatalf("read %+v, %v of %q", e, err, wire)
		}
	})
}
