package localstack

import (
	"os/exec"
	"runtime"
	"sync"
)

// launcher starts children from one operating system thread that lives until
// the last of them has ended. The kernel's "signal me when my parent dies"
// means the parent thread, and Go ends threads whenever it likes.
type launcher struct {
	jobs chan func()
	once sync.Once
}

func newLauncher() *launcher {
	l := &launcher{jobs: make(chan func())}
	go l.run()
	return l
}

// run never unlocks the thread, so that it ends with the loop.
func (l *launcher) run() {
	runtime.LockOSThread()
	for job := range l.jobs {
		job()
	}
}

// start is cmd.Start on the launcher's thread.
func (l *launcher) start(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	l.jobs <- func() { result <- cmd.Start() }
	return <-result
}

// close ends the thread; the children must have ended.
func (l *launcher) close() {
	l.once.Do(func() { close(l.jobs) })
}
