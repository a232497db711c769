package chaos

import (
	"os/exec"
	"runtime"
)

// spawner starts children from one thread that lives as long as they do: the
// kernel ends them when it ends, so that a run that is killed leaves nothing
// running.
type spawner struct{ jobs chan func() }

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

func (s *spawner) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = diesWithUs()
	result := make(chan error, 1)
	s.jobs <- func() { result <- cmd.Start() }
	return <-result
}

// close is for when all children have ended.
func (s *spawner) close() { close(s.jobs) }
