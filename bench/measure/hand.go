package measure

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// Marks around what is written by hand into a report, which a run keeps.
const (
	handBegin = "<!-- by hand: what is between these marks is kept -->"
	handEnd   = "<!-- end of what is written by hand -->"
)

// ByHand is that part of an old report with its marks, or otherwise between them.
func ByHand(old, otherwise string) string {
	_, rest, begun := strings.Cut(old, handBegin)
	text, _, ended := strings.Cut(rest, handEnd)
	if !begun || !ended {
		text = otherwise
	}
	return handBegin + text + handEnd
}

// ReadOld is the report of an earlier run, or "" where there is none.
func ReadOld(path string) (string, error) {
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(old), err
}
