package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
)

// Secret is a value that never shows itself: whatever prints, logs or encodes
// it gets "[set]" or "".
type Secret struct{ value string }

// NewSecret wraps a value, for tests.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal gives the value, for the one call that needs it.
func (s Secret) Reveal() string { return s.value }

// IsSet reports whether there is a value.
func (s Secret) IsSet() bool { return s.value != "" }

func (s Secret) String() string {
	if s.IsSet() {
		return "[set]"
	}
	return ""
}

// Format hides the value from every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText hides the value from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the value from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// StoreURL is the address of a store, which may hold a password. Whatever
// prints, logs or encodes it gets it without.
type StoreURL struct{ raw string }

// NewStoreURL wraps an address without checking it, for tests and for stores
// that the program starts itself.
func NewStoreURL(raw string) StoreURL { return StoreURL{raw} }

// Reveal gives the whole address, for the client that connects.
func (u StoreURL) Reveal() string { return u.raw }

// IsSet reports whether there is an address.
func (u StoreURL) IsSet() bool { return u.raw != "" }

// String gives the address without its password: user and hosts stay, of the
// parameters only those known to be harmless.
func (u StoreURL) String() string {
	scheme, rest, ok := strings.Cut(u.raw, "://")
	if !ok {
		if u.IsSet() {
			return "[set]" // PostgreSQL's keyword form, or nonsense
		}
		return ""
	}
	// The last @, because a password may hold one that nobody escaped.
	user, hosts := "", rest
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, hosts = "***@", rest[at+1:]
	}
	if name, _, hasPassword := strings.Cut(rest, ":"); user != "" && hasPassword && !strings.ContainsAny(name, "/?#@") {
		user = name + ":***@"
	}
	hosts, query, _ := strings.Cut(hosts, "?")
	return scheme + "://" + user + hosts + harmless(query)
}

// harmless keeps the parameters that hold no secret and stars the others.
func harmless(query string) string {
	if query == "" {
		return ""
	}
	kept := url.Values{}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "?***"
	}
	for key, list := range values {
		switch key {
		case "sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "connect_timeout", "pool_max_conns", "addr", "db", "master_name", "protocol":
			kept[key] = list
		default:
			kept[key] = []string{"***"}
		}
	}
	return "?" + strings.ReplaceAll(kept.Encode(), "%2A%2A%2A", "***")
}

// Format hides the password from every verb of fmt.
func (u StoreURL) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(u.String())) }

// MarshalText hides the password from encoders.
func (u StoreURL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// LogValue hides the password from slog.
func (u StoreURL) LogValue() slog.Value { return slog.StringValue(u.String()) }
