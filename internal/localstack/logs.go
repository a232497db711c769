package localstack

import (
	"io"
	"os"
	"strings"
)

// A log file starts anew when a stack starts with more than maxLog in it.
const maxLog = 16 << 20

// openLog opens a child's log for appending.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

func fileSize(f *os.File) int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// tail quotes the last lines a child wrote since its log was from bytes long.
func tail(path string, from int64) string {
	const most = 2048
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	from = max(from, fileSize(f)-most)
	text, _ := io.ReadAll(io.NewSectionReader(f, from, most))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return "; it printed nothing (log: " + path + ")"
	}
	lines = lines[max(0, len(lines)-8):]
	return "; the end of " + path + ":\n  " + strings.Join(lines, "\n  ")
}
