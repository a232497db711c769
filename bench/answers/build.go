package answers

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/busuhq/busu/bench/product"
)

// profileTo names the variable that says where a profile goes.
const profileTo = "BUSU_BENCH_PROFILE"

// profiler is a file that the profiled build of a command has besides: the
// product itself has no switch for that. A first SIGUSR1 begins a profile, the
// next one ends it.
const profiler = `package main

import (
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

func init() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		path := os.Getenv("` + profileTo + `")
		<-asked
		f, err := os.Create(path + ".part")
		if err != nil || pprof.StartCPUProfile(f) != nil {
			return
		}
		<-asked
		pprof.StopCPUProfile()
		f.Close()
		os.Rename(path+".part", path)
	}()
}
`

// build builds the processes into dir.
func build(ctx context.Context, dir string, profiled bool) error {
	root, err := product.Root(ctx)
	if err != nil {
		return err
	}
	args := []string{"build", "-trimpath", "-o", dir + "/"}
	if profiled {
		overlay, err := overlay(root, dir)
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/busu", "./cmd/api")...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build busu: %w\n%s", err, out)
	}
	return nil
}

// overlay lets both commands have the profiler.
func overlay(root, dir string) (string, error) {
	source, file := filepath.Join(dir, "profiler.go.txt"), filepath.Join(dir, "overlay.json")
	replace := map[string]string{}
	for _, command := range []string{"busu", "api"} {
		replace[filepath.Join(root, "cmd", command, "profiler.go")] = source
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(source, []byte(profiler), 0o600); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, text, 0o600)
}

// profiled takes a profile of a gateway during work, where one is wanted.
func (b *bench) profiled(g *gateway, name string, work func() error) error {
	if g.profile == "" {
		return work()
	}
	if err := g.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	if err := g.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	for range 500 {
		if text, err := os.ReadFile(g.profile); err == nil {
			return os.WriteFile(filepath.Join(b.options.Profiles, name+".pprof"), text, 0o644)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("there is no profile of %s", name)
}
