package apifuzz

import "slices"

// likely draws what a member or parameter of this name means, where a schema
// says no more than string; nil where nothing is known of the name.
func (d *draw) likely(name string) any {
	switch name {
	case "model", "actual_model":
		return pick(d, append([]string{"auto", "auto:hybrid", "auto:complexity"}, d.known.models...))
	case "models":
		return []any{pick(d, d.known.models), pick(d, d.known.models)}
	case "strategy", "control_strategy", "test_strategy":
		return pick(d, []string{"complexity", "hybrid", "learning"})
	case "messages":
		return d.conversation()
	case "prompt", "input", "text":
		return d.prompt()
	case "max_tokens", "max_completion_tokens":
		return 1 + d.IntN(64)
	case "window", "step", "observation", "feedback_window", "min_duration", "max_duration", "by":
		return pick(d, []string{"1h", "24h", "7d", "30m", "90s", "5m", "720h"})
	case "overlap":
		return pick(d, []string{"0s", "24h", "1m", "2160h"})
	case "interval":
		return pick(d, []string{"1s", "5s", "1h"})
	case "project", "X-Busu-Project":
		return pick(d, []string{"fuzz", "default", "acme", "a.b-c_d"})
	case "user_id", "user", "X-Busu-User", "session_id", "X-Busu-Session":
		return pick(d, []string{"ada", "ben", "cy", "über"})
	case "Idempotency-Key":
		return "repeat-" + string(rune('a'+d.IntN(26)))
	case "month":
		return pick(d, []string{"2026-11", "2026-10", "2025-01"})
	case "file":
		return pick(d, []string{"app.js", "style.css", "favicon.svg", "index.html"})
	case "snapshot":
		return pick(d, []any{1, 2, 3, "1"})
	case "sample_size":
		return 100 + d.IntN(10_000)
	case "notify_url":
		return pick(d, []string{"https://example.com/hook", "https://hooks.example.org:8443/a?b=c"})
	}
	return d.givenOut(name)
}

// givenOut draws an id that busu has given out, if it has.
func (d *draw) givenOut(name string) any {
	kinds := map[string]string{"request_id": "requests", "experiment_id": "experiments", "experiment": "experiments", "X-Busu-Experiment": "experiments",
		"key_id": "keys", "dead_id": "dead", "cursor": "next_cursor"}
	if kind, ok := kinds[name]; ok {
		if known := d.known.of(kind); len(known) > 0 {
			return pick(d, known)
		}
	}
	return nil
}

func (d *draw) prompt() string {
	return pick(d, []string{"What is the capital of France?", "Prove that there are infinitely many primes.", "hi", "Write a haiku about rain.",
		"Summarise: " + d.word() + " " + d.word(), "{\"a\": 1}", "1+1="})
}

// conversation is one that /complete and both vendors' endpoints take.
func (d *draw) conversation() any {
	roles := []string{"user", "assistant"}
	all := []any{}
	for i := range 1 + 2*d.IntN(2) {
		all = append(all, map[string]any{"role": roles[i%2], "content": d.prompt()})
	}
	if d.oneIn(8) {
		all = slices.Insert(all, 0, any(map[string]any{"role": "system", "content": "Be brief."}))
	}
	return all
}
