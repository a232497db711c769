package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Progress shows how far a drive is: redrawn in place on a terminal, a plain
// line every few seconds elsewhere. One goroutine uses it.
type Progress struct {
	w        io.Writer
	terminal bool
	now      func() time.Time
	start    time.Time
	drawn    time.Time // when the last line was drawn
	open     bool      // the cursor stands behind a line
	what     string    // is counted
}

const (
	redrawEvery = 100 * time.Millisecond
	lineEvery   = 5 * time.Second
	barWidth    = 24
)

// NewProgress starts the clock. It writes to w, usually standard error.
func NewProgress(w io.Writer, terminal bool, now func() time.Time) *Progress {
	p := &Progress{w: w, terminal: terminal, now: now, start: now(), what: "requests"}
	if !terminal {
		p.drawn = p.start // no line before the first interval is over
	}
	return p
}

// Of says what is counted, where that is not requests.
func (p *Progress) Of(what string) *Progress {
	p.what = what
	return p
}

// IsTerminal reports whether f is something a person looks at.
func IsTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Update says that done of total are done. It may be called as often as one
// likes: it draws when it is time, and always at the end.
func (p *Progress) Update(done, total int) {
	now, last := p.now(), done >= total
	if !last && now.Sub(p.drawn) < p.interval() {
		return
	}
	p.drawn = now
	line := p.line(done, total, now.Sub(p.start))
	if !p.terminal {
		_, _ = io.WriteString(p.w, line+"\n")
		return
	}
	p.open = true
	_, _ = io.WriteString(p.w, "\r"+bar(done, total)+" "+line+"\x1b[K")
}

// Close ends the line, so that what follows starts on its own.
func (p *Progress) Close() {
	if p.open {
		p.open = false
		_, _ = io.WriteString(p.w, "\n")
	}
}

func (p *Progress) interval() time.Duration {
	if p.terminal {
		return redrawEvery
	}
	return lineEvery
}

func (p *Progress) line(done, total int, took time.Duration) string {
	line := fmt.Sprintf("%s/%s %s", grouped(done), grouped(total), p.what)
	if took <= 0 || done <= 0 {
		return line
	}
	rate := float64(done) / took.Seconds()
	line += fmt.Sprintf("  %.1f/s", rate)
	if done < total {
		left := time.Duration(float64(total-done) / rate * float64(time.Second))
		line += fmt.Sprintf("  %s left", left.Round(time.Second))
	}
	return line
}

func bar(done, total int) string {
	filled := barWidth
	if total > 0 {
		filled = max(0, min(barWidth, done*barWidth/total))
	}
	return "[" + strings.Repeat("#", filled) + strings.Repeat("-", barWidth-filled) + "]"
}
