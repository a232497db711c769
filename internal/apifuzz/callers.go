package apifuzz

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"slices"
	"strings"
)

// caller is who sends a request.
type caller struct {
	name       string
	key        string // "": none
	role       string // "": a stranger
	everywhere bool   // of all projects
	id         string // of the key
}

// may reports whether the document lets a caller in.
func (c caller) may(o operation) bool {
	return o.public || slices.Contains(o.roles, c.role) && (c.everywhere || !o.everywhere)
}

// neverGiven has a key's form and checksum, and was never given out; see
// docs/keys.md.
func neverGiven() string {
	text := "busu_" + strings.Repeat("a", 52)
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text)))
	return text + base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).EncodeToString(sum)
}

// makeCallers makes a key of every kind at the target.
func makeCallers(ctx context.Context, to Target) ([]caller, error) {
	callers := []caller{
		{name: "nobody"},
		{name: "nonsense", key: "nonsense"},
		{name: "unknown key", key: neverGiven()},
		{name: "admin key", key: to.AdminKey, role: "admin", everywhere: true},
	}
	for _, c := range []struct {
		name string
		ask  map[string]any
	}{
		{"admin", map[string]any{"role": "admin", "project": "fuzz"}},
		{"operate", map[string]any{"role": "operate", "project": "fuzz"}},
		{"complete", map[string]any{"role": "complete", "project": "fuzz"}},
		{"read", map[string]any{"role": "read", "project": "fuzz"}},
		{"operate everywhere", map[string]any{"role": "operate", "project": "*"}},
		{"limited", map[string]any{"role": "complete", "project": "fuzz", "models": to.Models[:1], "requests_per_minute": 30, "tokens_per_minute": 20_000,
			"budget_usd": 0.01, "budget_period": "month"}},
		{"revoked", map[string]any{"role": "admin", "project": "fuzz"}},
	} {
		c.ask["name"] = "fuzz: " + c.name
		var made struct{ ID, Key string }
		if err := to.do(ctx, http.MethodPost, "/keys", c.ask, &made); err != nil {
			return nil, err
		}
		role := c.ask["role"].(string)
		if c.name == "revoked" {
			role = ""
			if err := to.do(ctx, http.MethodDelete, "/keys/"+made.ID, nil, nil); err != nil {
				return nil, err
			}
		}
		callers = append(callers, caller{name: c.name, key: made.Key, role: role, id: made.ID, everywhere: c.ask["project"] == "*"})
	}
	return callers, nil
}

// do sends what is right, with the admin key.
func (to Target) do(ctx context.Context, method, path string, ask, into any) error {
	text, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+to.Addr+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+to.AdminKey)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s (%w)", method, path, answer.Status, body, err)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

// secretsOf are what no answer may hold.
func secretsOf(callers []caller) (secrets []string) {
	for _, c := range callers {
		if c.role != "" {
			secrets = append(secrets, c.key)
		}
	}
	return secrets
}

// mentions reports whether a path names one of the callers' own keys, which
// must not end in the middle of a run.
func mentions(callers []caller, path string) bool {
	return slices.ContainsFunc(callers, func(c caller) bool { return c.id != "" && strings.Contains(path, c.id) })
}
