package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/statement"
)

// environment reads variables; an empty one counts as unset, because Compose
// and systemd pass those on. It remembers secrets, so that a mistake in one is
// reported once.
type environment struct {
	lookup   func(string) (string, bool)
	read     func(string) ([]byte, error)
	secrets  map[string]secretRead
	problems Problems
}

type secretRead struct {
	secret Secret
	given  bool // also when it could not be read, which is a problem of its own
}

const (
	minAdminKey = 16
	mostTime    = time.Hour
)

func (e *environment) wrong(variable, message, hint string) {
	e.problems = append(e.problems, Problem{Variable: variable, Message: message, Hint: hint})
}

func (e *environment) text(name, otherwise string) string {
	if v, ok := e.lookup(name); ok && v != "" {
		return v
	}
	return otherwise
}

// secret reads X, or the file that X_FILE names.
func (e *environment) secret(name string) (s Secret, given bool) {
	before, known := e.secrets[name]
	if !known {
		before = e.readSecret(name)
		e.secrets[name] = before
	}
	return before.secret, before.given
}

func (e *environment) readSecret(name string) secretRead {
	direct, path := e.text(name, ""), e.text(name+"_FILE", "")
	switch {
	case direct != "" && path != "":
		e.wrong(name, "both it and "+name+"_FILE are set", "unset one of them")
		return secretRead{given: true}
	case direct != "":
		return secretRead{e.sound(name, direct), true}
	case path != "":
		return secretRead{e.secretFile(name, path), true}
	}
	return secretRead{}
}

// secretFile reads a secret without one trailing newline. The path stays out
// of the message: it may be the secret itself, in the wrong variable.
func (e *environment) secretFile(name, path string) Secret {
	variable := name + "_FILE"
	content, err := e.read(path)
	if err != nil {
		e.wrong(variable, "the file it names cannot be read ("+reason(err)+")", "check the path and its permissions")
		return Secret{}
	}
	content = bytes.TrimSuffix(content, []byte("\n"))
	content = bytes.TrimSuffix(content, []byte("\r"))
	if len(content) == 0 {
		e.wrong(variable, "the file it names is empty", "write the secret into it")
		return Secret{}
	}
	return e.sound(variable, string(content))
}

// reason says why a file cannot be read, without its path.
func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such file"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	}
	return "reading it failed"
}

// sound refuses what no key or address holds and no HTTP header can carry.
func (e *environment) sound(variable, secret string) Secret {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(secret) > 4096 || strings.ContainsFunc(secret, odd) && !strings.HasPrefix(variable, statementKey) {
		e.wrong(variable, "it holds a space, a line break or another character that no key has, or is too long", "copy the secret again, without quotes")
		return Secret{}
	}
	return Secret{secret}
}

func (e *environment) adminKey() Secret {
	key, _ := e.secret("BUSU_ADMIN_KEY")
	if key.IsSet() && len(key.value) < minAdminKey {
		e.wrong("BUSU_ADMIN_KEY", fmt.Sprintf("it is shorter than %d characters", minAdminKey), "make one with: openssl rand -hex 32")
	}
	return key
}

// duration reads a time from least to an hour.
func (e *environment) duration(name, otherwise string, least time.Duration) time.Duration {
	text := e.text(name, otherwise)
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > mostTime {
		e.wrong(name, fmt.Sprintf("%q is no time from %s to %s", shorten(text), least, mostTime), "write it like 15s")
		return 0
	}
	return d
}

// replica reads where the dashboard may read, and how old that may be. It is
// looked at every second, so that less would not be known.
func (e *environment) replica(primary StoreURL) (StoreURL, time.Duration) {
	const name = "DATABASE_READ_URL"
	u, most := e.store(name, "postgres", "postgresql"), e.duration("DATABASE_READ_MAX_LAG", "30s", 2*time.Second)
	if u.IsSet() && !primary.IsSet() {
		e.wrong(name, "it is set, and DATABASE_URL is not", "set DATABASE_URL to the primary that it is a replica of")
	}
	return u, most
}

// statementKey is in PEM, which has lines.
const statementKey = "BUSU_STATEMENT_KEY"

// statementKey reads what signs statements.
func (e *environment) statementKey() Secret {
	s, _ := e.secret(statementKey)
	if !s.IsSet() {
		return s
	}
	if _, err := statement.ParsePrivate([]byte(s.value)); err != nil {
		e.wrong(statementKey, "it is no Ed25519 private key in PEM (PKCS#8)", "make one with: busu statement keygen")
	}
	return s
}

func (e *environment) store(name string, schemes ...string) StoreURL {
	s, _ := e.secret(name)
	if !s.IsSet() {
		return StoreURL{}
	}
	if fault := storeFault(s.value, schemes); fault != "" {
		e.wrong(name, fault, "write "+schemes[0]+"://user:password@host:port/… with special characters percent-encoded")
	} else {
		e.rootsOf(name, s.value)
	}
	return StoreURL{s.value}
}

func (e *environment) logLevel() slog.Level {
	text := e.text("BUSU_LOG_LEVEL", "info")
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, ok := levels[strings.ToLower(text)]
	if !ok {
		e.wrong("BUSU_LOG_LEVEL", fmt.Sprintf("%q is no log level", shorten(text)), did(text, []string{"debug", "info", "warn", "error"}))
	}
	return level
}

func (e *environment) logFormat() LogFormat {
	format := LogFormat(strings.ToLower(e.text("BUSU_LOG_FORMAT", string(LogAuto))))
	switch format {
	case LogAuto, LogText, LogJSON:
		return format
	}
	e.wrong("BUSU_LOG_FORMAT", fmt.Sprintf("%q is no log format", shorten(string(format))), did(string(format), []string{"text", "json", "auto"}))
	return LogAuto
}
