package browser

import (
	"context"
	_ "embed"
	"fmt"
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
	v := open(t, pages[0], false, feed+vary)
	v.await(t, `window.fed && `+settled+` && `+noBanner)
	ctx := soon(t)
	push := func(n int) {
		if err := v.push(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	push(3)
	t.Logf("while it loads: %q", v.moved(t))
	push(*updates)
	if moved := v.moved(t); len(moved) > 0 {
		t.Errorf("%d updates move %d things, such as %q", *updates, len(moved), moved[:min(len(moved), 5)])
	}
	before, err := v.HeapUsed(ctx)
	if err != nil {
		t.Fatal(err)
	}
	push(*updates)
	v.moved(t) // what the test keeps is not the page's
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
// nothing grows.
func measureHours(t *testing.T) {
	for _, p := range lively() {
		t.Run(p.name, func(t *testing.T) {
			v := open(t, p, false, feed+fast)
			v.await(t, `window.fed && `+settled)
			v.measureHour(t, stretch())
		})
	}
}

const (
	stretches = 4
	most      = 2 << 20 // bytes, for what is under way and not collected yet
)

// stretch is a quarter of what is asked for.
func stretch() int { return max(shortest, *hours*3600/stretches) }

func (v *visit) measureHour(t *testing.T, seconds int) {
	var kept []int
	for range stretches {
		answered := v.live(t, seconds)
		v.moved(t) // what the test keeps is not the page's
		used, err := v.HeapUsed(soon(t))
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

// live lets the page live for so many seconds of its time, and gives how many
// answers it got meanwhile.
func (v *visit) live(t *testing.T, seconds int) (answered int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience+time.Duration(seconds)*time.Second)
	defer cancel()
	if err := v.Eval(ctx, fmt.Sprintf("live(%d)", seconds), &answered); err != nil {
		t.Fatal(err)
	}
	return answered
}

// moved is what has moved since it was last asked for, on no reader's account.
func (v *visit) moved(t *testing.T) (nodes []string) {
	t.Helper()
	if err := v.Eval(soon(t), `seen.shifts.splice(0).flatMap((s) => s.of)`, &nodes); err != nil {
		t.Fatal(err)
	}
	return nodes
}

func mb(bytes int) float64 { return float64(bytes) / (1 << 20) }

// push feeds the page n snapshots a second of its time apart, each as soon as
// the one before is drawn.
func (v *visit) push(ctx context.Context, n int) error {
	var pushed int
	return v.Eval(ctx, fmt.Sprintf("push(%d)", n), &pushed)
}
