package localstack

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// secret reads the password kept in path, and makes one when there is none.
// Without passwords every user of the machine could have the servers run
// programs as whoever started them.
func secret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err == nil && len(text) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	password := strings.ToLower(rand.Text())
	return password, os.WriteFile(path, []byte(password+"\n"), 0o600)
}

// writeEnv leaves the addresses for other terminals: `. .local/env`.
func (s *Stack) writeEnv(dir string) error {
	var b strings.Builder
	for _, v := range []struct{ name, value string }{{"DATABASE_URL", s.DatabaseURL}, {"REDIS_URL", s.RedisURL}} {
		if v.value != "" {
			fmt.Fprintf(&b, "export %s='%s'\n", v.name, v.value)
		}
	}
	path := filepath.Join(dir, "env")
	return dirError(dir, errors.Join(os.RemoveAll(path), os.WriteFile(path, []byte(b.String()), 0o600)))
}

// Running gives the addresses of the servers that a stack in dir runs, or ran
// last; "" for one that it does not.
func Running(dir string) (databaseURL, redisURL string, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "env"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		value = strings.Trim(value, "'")
		switch name {
		case "DATABASE_URL":
			databaseURL = value
		case "REDIS_URL":
			redisURL = value
		}
	}
	return databaseURL, redisURL, nil
}
