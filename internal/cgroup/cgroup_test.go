package cgroup

import (
	"testing"
	"testing/fstest"
)

func TestRead(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	for name, c := range map[string]struct {
		files map[string]string
		want  Limits
	}{
		"no Linux":            {nil, Limits{}},
		"no limits":           {map[string]string{"proc/self/cgroup": "0::/\n"}, Limits{}},
		"nonsense":            {map[string]string{"proc/self/cgroup": "x\n\n7\n0::/\n", "sys/fs/cgroup/memory.max": "lots", "sys/fs/cgroup/cpu.max": "a b"}, Limits{}},
		"version 2 unlimited": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, Limits{}},
		"version 2 container": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1073741824\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"},
			Limits{MemoryBytes: gib, CPUs: 1.5}},
		"version 2 seen from outside": {map[string]string{"proc/self/cgroup": "0::/docker/1f\n", "sys/fs/cgroup/memory.max": "1073741824\n"}, Limits{MemoryBytes: gib}},
		"the narrowest of a unit's": {map[string]string{"proc/self/cgroup": "0::/system.slice/busu.service\n",
			"sys/fs/cgroup/system.slice/memory.max": "1073741824", "sys/fs/cgroup/system.slice/busu.service/memory.max": "2147483648",
			"sys/fs/cgroup/system.slice/cpu.max": "400000 100000", "sys/fs/cgroup/system.slice/busu.service/cpu.max": "50000 100000"},
			Limits{MemoryBytes: gib, CPUs: .5}},
		"version 1": {map[string]string{"proc/self/cgroup": "4:memory:/a/b\n2:cpu,cpuacct:/a\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712", "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "1073741824",
			"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "200000", "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000"},
			Limits{MemoryBytes: gib, CPUs: 2}},
		"version 1 unlimited": {map[string]string{"proc/self/cgroup": "4:memory:/\n2:cpu:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"},
			Limits{}},
	} {
		files := fstest.MapFS{}
		for path, content := range c.files {
			files[path] = &fstest.MapFile{Data: []byte(content)}
		}
		if got := Read(files); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
