package app_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// TestAdmin: a process that waits for its stores can be looked into, by who has
// the key, and told by signals and over HTTP how much to log.
func TestAdmin(t *testing.T) {
	t.Parallel()
	const key = "a-key-for-the-admin-listener"
	addr := freeAddr(t)
	p := launch(t, nil, []string{"BUSU_ADDR=" + freeAddr(t), "BUSU_ADMIN_ADDR=" + addr, "BUSU_ADMIN_KEY=" + key, "BUSU_LOG_FORMAT=json",
		"BUSU_STATE_DIR=" + stateDir(t), "DATABASE_URL=postgres://nobody@127.0.0.1:1/busu", "REDIS_URL=redis://127.0.0.1:1"}, "aggregator")
	p.base = "http://" + addr
	p.until("it listens", func() bool { return p.status("/log/level") == http.StatusUnauthorized })
	p.base = "http://admin:" + key + "@" + addr

	level := func() string {
		var said struct{ Level string }
		p.get("/log/level", &said)
		return said.Level
	}
	if got := level(); got != "info" {
		t.Errorf("it begins with %s", got)
	}
	for _, step := range []struct {
		signal syscall.Signal
		want   string
	}{{syscall.SIGUSR1, "debug"}, {syscall.SIGUSR2, "info"}, {syscall.SIGUSR1, "debug"}} {
		if err := p.cmd.Process.Signal(step.signal); err != nil {
			t.Fatal(err)
		}
		p.until("the level is "+step.want, func() bool { return level() == step.want })
	}
	if text := p.stderr.String(); strings.Count(text, "the log level has changed") == 0 || strings.Contains(text, key) {
		t.Errorf("the log says\n%s", text)
	}
	if status := p.status("/debug/pprof/goroutine?debug=1"); status != http.StatusOK {
		t.Errorf("a profile: %d", status)
	}
}
