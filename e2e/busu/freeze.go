package busu

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
)

// The stores that can be frozen, by the name of their program.
const (
	Postgres = "postgres"
	Redis    = "redis-server"
)

// Freeze stops all processes of a store, so that it keeps its connections and
// answers nothing. thaw lets them go on; they must, before busu is stopped.
func (b *Busu) Freeze(program string) (thaw func() error, err error) {
	pids, err := b.processes(program)
	if err != nil {
		return nil, err
	}
	thaw = func() error { return signal(pids, syscall.SIGCONT) }
	if err := signal(pids, syscall.SIGSTOP); err != nil {
		return nil, errors.Join(err, thaw())
	}
	return thaw, nil
}

// processes gives those of a program that busu has started, and theirs, in
// the order of their start.
func (b *Busu) processes(program string) ([]int, error) {
	list, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,comm=").Output()
	if err != nil {
		return nil, fmt.Errorf("ps: %w", err)
	}
	type process struct {
		pid, parent int
		name        string
	}
	var all []process
	for line := range strings.Lines(string(list)) {
		var p process
		if _, err := fmt.Sscan(line, &p.pid, &p.parent, &p.name); err == nil {
			all = append(all, p)
		}
	}
	ours, found := map[int]bool{b.cmd.Process.Pid: true}, []int{}
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if ours[p.parent] && !ours[p.pid] {
				ours[p.pid], grown = true, true
				if strings.HasSuffix(p.name, program) {
					found = append(found, p.pid)
				}
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("busu runs no %s", program)
	}
	return found, nil
}

// signal reaches parents first. A process that has ended needs none.
func signal(pids []int, s syscall.Signal) error {
	var errs []error
	for _, pid := range pids {
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("signal %v to %d: %w", s, pid, err))
		}
	}
	return errors.Join(errs...)
}
