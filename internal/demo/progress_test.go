package demo

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// show lets n requests of 10 ms each pass.
func show(terminal bool, n int) string {
	var b bytes.Buffer
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := NewProgress(&b, terminal, func() time.Time { return clock })
	for i := range n {
		clock = clock.Add(10 * time.Millisecond)
		p.Update(i+1, n)
	}
	p.Close()
	p.Close()
	return b.String()
}

func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	got := show(true, 1000)
	frames := strings.Split(got, "\r")
	if len(frames) < 90 || len(frames) > 105 {
		t.Errorf("%d frames in 10 s", len(frames))
	}
	if want := "[############------------] 501/1,000 requests  100.0/s  5s left\x1b[K"; !strings.Contains(got, want) {
		t.Errorf("no frame %q in %q", want, frames[51])
	}
	if want := "\r[########################] 1,000/1,000 requests  100.0/s\x1b[K\n"; !strings.HasSuffix(got, want) {
		t.Errorf("ends with %q", frames[len(frames)-1])
	}
}

func TestProgressElsewhere(t *testing.T) {
	t.Parallel()
	want := "500/1,200 requests  100.0/s  7s left\n1,000/1,200 requests  100.0/s  2s left\n1,200/1,200 requests  100.0/s\n"
	if got := show(false, 1200); got != want {
		t.Errorf("got %q", got)
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	t.Parallel()
	f, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if IsTerminal(f) {
		t.Error("a file was taken for a terminal")
	}
}
