package chaos

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
)

// violations are what must not be, in words.
type violations struct {
	log *slog.Logger
	mu  sync.Mutex
	all []string
}

func (v *violations) add(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	v.log.Error("violation", "what", text)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all = append(v.all, text)
}

func (v *violations) list() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.all)
}
