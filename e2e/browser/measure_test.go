package browser

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a page may load before it is compressed, in bytes.
const maxAssets = 250 << 10

//go:embed feed.js
var feed string // a feed that the test pushes snapshots into

// measured is what a browser says of a page.
type measured struct {
	FirstPaint float64 `json:"firstPaint"` // milliseconds
	Assets     int     `json:"assets"`     // bytes, as they are
	Transfer   int     `json:"transfer"`   // bytes, as they came
}

const measure = `({
	firstPaint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
	assets: seen.sum("decodedBodySize"), transfer: seen.sum("encodedBodySize"),
})`

// measureLoad says what each page costs to open. How long it took depends on
// the machine and is only told; what it loads does not.
func measureLoad(t *testing.T) {
	for _, p := range pages {
		v := arrive(t, p, states[1])
		var m measured
		if err := v.Eval(soon(t), measure, &m); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: first paint after %.0f ms, %d bytes of files, %d over the line", p.name, m.FirstPaint, m.Assets, m.Transfer)
		if m.Assets == 0 || m.Assets > maxAssets {
			t.Errorf("%s loads %d bytes of files; it may load %d", p.name, m.Assets, maxAssets)
		}
	}
}

// measureUpdates pushes live snapshots into the page Live, some to fill what
// it keeps, then as many again: nothing moves, and it keeps no more memory.
func measureUpdates(t *testing.T) {
	v := open(t, pages[0], false, feed)
	v.await(t, `window.fed && `+settled)
	ctx := soon(t)
	var shifts []struct {
		Value float64
		Of    []string
	}
	push := func(n int) {
		if err := v.push(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	push(3)
	if err := v.Eval(ctx, `seen.shifts.splice(0)`, &shifts); err != nil {
		t.Fatal(err)
	}
	t.Logf("while it loads: %v", shifts)
	push(*updates)
	if err := v.Eval(ctx, `seen.shifts.splice(0)`, &shifts); err != nil {
		t.Fatal(err)
	}
	var moved float64
	for _, s := range shifts {
		moved += s.Value
		if slices.ContainsFunc(s.Of, func(node string) bool { return !strings.HasPrefix(node, "#text") }) {
			t.Errorf("an update moves %q by %.4f", s.Of, s.Value)
		}
	}
	// What stands behind a figure moves with its digits, within its own place.
	t.Logf("%d updates: words behind figures moved by %.4f in all, nothing else did", *updates, moved)
	if moved > 0.05 {
		t.Errorf("updates move the page by %.4f", moved)
	}
	before, err := v.HeapUsed(ctx)
	if err != nil {
		t.Fatal(err)
	}
	push(*updates)
	v.do(t, `seen.shifts.splice(0)`) // what the test keeps is not the page's
	after, err := v.HeapUsed(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.2f MB of JavaScript after %d updates, %.2f MB after as many again", mb(before), *updates, mb(after))
	if after > before+before/4+1<<20 {
		t.Errorf("memory grows with updates: %.2f MB, then %.2f", mb(before), mb(after))
	}
}

//go:embed fast.js
var fast string // has time fly

// shortest is a stretch of the page's time, in seconds, unless -hours asks for more.
const shortest = 100

// measureHours lets pages live on, some at a time, and looks at what they keep
// after each stretch: behind the first, which fills what is kept for a while,
// nothing grows. The list of requests stays where it is while none comes; ages
// and figures of other pages change the width of their columns.
func measureHours(t *testing.T) {
	for _, p := range []page{pageNamed("live"), pageNamed("experiments"), pageNamed("requests").with("?live=1"), pageNamed("keys"), pageNamed("system")} {
		t.Run(p.name, func(t *testing.T) {
			v := open(t, p, false, feed+fast)
			v.await(t, `window.fed && `+settled)
			v.measureHour(t, stretch(), p.name == "requests")
		})
	}
}

const (
	stretches = 4
	most      = 2 << 20 // bytes, for what is under way and not collected yet
)

// stretch is a quarter of what is asked for.
func stretch() int { return max(shortest, *hours*3600/stretches) }

func (v *visit) measureHour(t *testing.T, seconds int, isStill bool) {
	ctx, cancel := context.WithTimeout(t.Context(), patience+stretches*time.Duration(seconds)*time.Second)
	defer cancel()
	var kept []int
	for range stretches {
		var answered int
		if err := v.Eval(ctx, fmt.Sprintf("live(%d)", seconds), &answered); err != nil {
			t.Fatal(err)
		}
		var shifts []string
		if err := v.Eval(ctx, `seen.shifts.splice(0).flatMap((s) => s.of).filter((node) => node && !node.startsWith("#text"))`, &shifts); err != nil {
			t.Fatal(err)
		}
		if len(shifts) > 0 {
			t.Logf("%s: %d things were moved", v.page.name, len(shifts))
		}
		if isStill && len(kept) > 0 && len(shifts) > 0 {
			t.Errorf("%s: updates move %q", v.page.name, shifts)
		}
		used, err := v.HeapUsed(ctx)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, used)
		t.Logf("%s: %.2f MB after %d s of it more, with %d answers", v.page.name, mb(used), seconds, answered)
		if answered < seconds/60 {
			t.Errorf("%s asks for nothing again: %d answers in %d s", v.page.name, answered, seconds)
		}
	}
	if grown := kept[stretches-1] - kept[1]; grown > most {
		t.Errorf("%s keeps %.2f MB more after %d s than after %d", v.page.name, mb(grown), stretches*seconds, 2*seconds)
	}
}

func mb(bytes int) float64 { return float64(bytes) / (1 << 20) }

// push feeds the page n snapshots a second of its time apart, each as soon as
// the one before is drawn.
func (v *visit) push(ctx context.Context, n int) error {
	var pushed int
	return v.Eval(ctx, fmt.Sprintf("push(%d)", n), &pushed)
}
