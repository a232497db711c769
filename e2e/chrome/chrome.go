// Package chrome drives a headless Chromium: tabs that open pages, evaluate
// JavaScript, take pictures and keep what went wrong in them. It speaks the
// DevTools protocol over a pair of pipes and needs nothing but the browser.
package chrome

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Browser is one Chromium. Close ends it.
type Browser struct {
	pipe    *pipe
	cmd     *exec.Cmd
	profile string
	said    *bytes.Buffer // on standard error; read it when it has ended
	ended   chan error
	ours    []*os.File
}

// Start runs the program, as Find gives it.
func Start(ctx context.Context, program string) (*Browser, error) {
	profile, err := os.MkdirTemp("", "busu-chromium-")
	if err != nil {
		return nil, err
	}
	b := &Browser{profile: profile, said: &bytes.Buffer{}, ended: make(chan error, 1)}
	if err := b.start(program); err != nil {
		return nil, errors.Join(err, os.RemoveAll(profile))
	}
	var version struct{ Product string }
	if err := b.pipe.call(ctx, "", "Browser.getVersion", struct{}{}, &version); err != nil {
		err = errors.Join(err, b.Close())
		return nil, fmt.Errorf("%s does not answer: %w\n%s", program, err, b.said)
	}
	return b, nil
}

func (b *Browser) start(program string) error {
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		return err
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		return err
	}
	b.ours = []*os.File{ourIn, ourOut}
	b.cmd = exec.Command(program, "--headless", "--remote-debugging-pipe", "--user-data-dir="+b.profile,
		"--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-component-update", "--disable-background-networking",
		"--disable-sync", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio", "--force-color-profile=srgb",
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
		"--no-sandbox", // it opens pages of ours alone, and containers have no user namespaces
		"--enable-precise-memory-info", "--js-flags=--expose-gc", "about:blank")
	b.cmd.Env = append(os.Environ(), "LANG=en_US.UTF-8", "LANGUAGE=en_US", "TZ=UTC", "HOME="+b.profile,
		"XDG_CONFIG_HOME="+filepath.Join(b.profile, "config"), "XDG_CACHE_HOME="+filepath.Join(b.profile, "cache"))
	b.cmd.ExtraFiles = []*os.File{theirIn, theirOut} // 3 and 4
	b.cmd.Stderr = b.said
	b.cmd.WaitDelay = 5 * time.Second
	err = b.cmd.Start()
	err = errors.Join(err, theirIn.Close(), theirOut.Close())
	if err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	go func() { b.ended <- b.cmd.Wait() }()
	b.pipe = newPipe(ourIn, ourOut)
	return nil
}

// Close ends the browser, politely first, and removes its profile.
func (b *Browser) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = b.pipe.call(ctx, "", "Browser.close", struct{}{}, nil) // it may go before it answers
	select {
	case <-b.ended:
	case <-ctx.Done():
		_ = b.cmd.Process.Kill()
		<-b.ended
	}
	for _, f := range b.ours {
		_ = f.Close()
	}
	return os.RemoveAll(b.profile)
}
