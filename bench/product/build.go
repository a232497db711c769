package product

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// ProfileTo names the variable that tells a profiled build where a profile goes.
const ProfileTo = "BUSU_BENCH_PROFILE"

// profiler is a file that the profiled build of a command has besides: the
// product itself has no switch for that. A first SIGUSR1 begins a profile, the
// next one ends it, and so on.
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
		path := os.Getenv("` + ProfileTo + `")
		for {
			<-asked
			os.Remove(path)
			f, err := os.Create(path + ".part")
			if err != nil || pprof.StartCPUProfile(f) != nil {
				return
			}
			<-asked
			pprof.StopCPUProfile()
			f.Close()
			if f, err := os.Create(path + ".allocs"); err == nil {
				pprof.Lookup("allocs").WriteTo(f, 0)
				f.Close()
			}
			os.Rename(path+".part", path)
		}
	}()
}
`

// Build builds commands of the product into dir; profiled ones can be asked for
// profiles.
func Build(ctx context.Context, dir string, profiled bool, commands ...string) error {
	root, err := Root(ctx)
	if err != nil {
		return err
	}
	args := []string{"build", "-trimpath", "-o", dir + "/"}
	if profiled {
		overlay, err := overlay(root, dir, commands)
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	for _, command := range commands {
		args = append(args, "./cmd/"+command)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build busu: %w\n%s", err, out)
	}
	return nil
}

// overlay lets commands have the profiler.
func overlay(root, dir string, commands []string) (string, error) {
	source, file := filepath.Join(dir, "profiler.go.txt"), filepath.Join(dir, "overlay.json")
	replace := map[string]string{}
	for _, command := range commands {
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

// Profiled takes a CPU profile of a profiled build during work, into a file, and
// beside it, as .allocs, one of all that it has allocated since it began. It was
// started with ProfileTo naming another.
func (p *Process) Profiled(profile, file string, work func() error) error {
	if err := p.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	if err := p.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	for range 500 {
		if text, err := os.ReadFile(profile); err == nil {
			if err := os.WriteFile(file, text, 0o644); err != nil {
				return err
			}
			return os.Rename(profile+".allocs", file+".allocs")
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("there is no profile for %s", file)
}
