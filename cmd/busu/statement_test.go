package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/statement"
)

// A key that keygen makes signs what verify takes, and no other key does.
func TestStatementIsSignedAndVerified(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	k := statementKeygenCommand{Private: in("a.key"), Public: in("a.pub")}
	other := statementKeygenCommand{Private: in("b.key"), Public: in("b.pub")}
	for _, c := range []statementKeygenCommand{k, other} {
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(k.Private); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the private key: %v, %v", info, err)
	}
	if err := k.Run(); err == nil {
		t.Error("a key was overwritten")
	}
	m, err := statement.ParseMonth("2026-11")
	if err != nil {
		t.Fatal(err)
	}
	e := statement.Evidence{Project: "acme", Month: m, AsOf: m.To(), Counted: m.To().Add(time.Hour), Groups: savings.Tally{Limit: math.Inf(1)}}
	e.Watermark = m.To()
	s, err := statement.New(e)
	if err != nil {
		t.Fatal(err)
	}
	c := statementMakeCommand{Sign: k.Private, Out: in("out.json"), Format: "json"}
	handOut := func(s statement.Statement) error {
		key, err := signingKey(c.Sign, "")
		if err != nil {
			t.Fatal(err)
		}
		return c.handOut(s, key)
	}
	if err := handOut(s); err != nil {
		t.Fatal(err)
	}
	if err := (statementVerifyCommand{File: c.Out, PublicKey: k.Public}).Run(); err != nil {
		t.Error(err)
	}
	if err := (statementVerifyCommand{File: c.Out, PublicKey: other.Public}).Run(); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("with another key: %v", err)
	}
	text, err := os.ReadFile(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	changed := in("changed.json")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), "acme", "acne", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (statementVerifyCommand{File: changed, PublicKey: k.Public}).Run(); err == nil {
		t.Error("a changed statement is taken")
	}
	e.Buried = 1
	if s, err = statement.New(e); err != nil {
		t.Fatal(err)
	}
	if err := handOut(s); err == nil || !strings.Contains(err.Error(), "provisional") {
		t.Errorf("a provisional one: %v", err)
	}
	c.Provisional = true
	if err := handOut(s); err != nil {
		t.Error(err)
	}
	if err := (statementVerifyCommand{File: c.Out, PublicKey: k.Public}).Run(); err != nil {
		t.Error(err)
	}
	if _, err := signingKey(in("none"), ""); err == nil {
		t.Error("a key that is not there")
	}
	if key, err := signingKey("", ""); err != nil || key != nil {
		t.Errorf("without a key %v, %v", key, err)
	}
}
