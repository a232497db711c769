package doctor

import "fmt"

const (
	mib = 1 << 20
	gib = 1 << 30

	leastFiles = 1024 // a few hundred callers, each with a call of a provider
	goodFiles  = 8192
	leastFree  = gib
)

func (j *judge) host(h Host) {
	if h.StateErr != "" {
		j.say("state", Fail, "give the user that busu runs as the right to write there, or choose another with BUSU_STATE_DIR", "%s: %s", h.StateDir, h.StateErr)
	} else if h.StateDir != "" {
		j.say("state", OK, "", "%s can be written to", h.StateDir)
		j.disk(h)
	}
	if h.Files > 0 {
		s := OK
		if h.Files < goodFiles {
			s = when(h.Files < leastFiles, Fail)
			if s == OK {
				s = Warn
			}
		}
		j.say("files", s, "raise it: ulimit -n 65536, or LimitNOFILE=65536 in the unit", "%d may be open at once; a caller takes one, and the call of a provider another", h.Files)
	}
	j.processors(h)
	j.memory(h)
}

// disk holds the room that there is against what the journal may take.
func (j *judge) disk(h Host) {
	const do = "make room, move BUSU_STATE_DIR to a larger disk, or lower journal.max_bytes"
	more := max(h.JournalMost-h.JournalBytes, 0)
	s := when(h.FreeBytes < more, Warn)
	if h.FreeBytes < min(leastFree, more) {
		s = Fail
	}
	j.say("disk", s, do, "%s free; the journal has %s and may grow to %s while PostgreSQL is away", size(h.FreeBytes), size(h.JournalBytes), size(h.JournalMost))
}

func (j *judge) processors(h Host) {
	if h.Processors == 0 {
		return
	}
	if h.GroupCPUs == 0 {
		j.say("processors", OK, "", "%d, no quota", h.Processors)
		return
	}
	j.say("processors", when(float64(h.Processors) > h.GroupCPUs+1, Warn), "unset GOMAXPROCS: Go takes the quota by itself",
		"%d (GOMAXPROCS) with a quota of %.2g", h.Processors, h.GroupCPUs)
}

func (j *judge) memory(h Host) {
	switch {
	case h.GroupMemory == 0 && h.MemoryLimit == "":
		j.say("memory", OK, "", "no limit of the container's, and no GOMEMLIMIT")
	case h.GroupMemory == 0:
		j.say("memory", OK, "", "GOMEMLIMIT=%s, no limit of the container's", h.MemoryLimit)
	case h.KeptBytes > h.GroupMemory/2:
		j.say("memory", Warn, "lower cache.memory_bytes, or give the container more", "kept answers may take %s of the container's %s", size(h.KeptBytes), size(h.GroupMemory))
	case h.MemoryLimit == "off":
		j.say("memory", Warn, "unset GOMEMLIMIT: busu keeps within nine tenths of the container's", "GOMEMLIMIT=off, though the container may have only %s", size(h.GroupMemory))
	case h.MemoryLimit != "":
		j.say("memory", OK, "", "GOMEMLIMIT=%s, of the container's %s", h.MemoryLimit, size(h.GroupMemory))
	default:
		j.say("memory", OK, "", "busu keeps within nine tenths of the container's %s", size(h.GroupMemory))
	}
}

// size writes bytes for people.
func size(n int64) string {
	switch {
	case n >= gib:
		return fmt.Sprintf("%.1f GiB", float64(n)/gib)
	case n >= mib:
		return fmt.Sprintf("%.0f MiB", float64(n)/mib)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}
