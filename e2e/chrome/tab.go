package chrome

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// View is how a page is looked at.
type View struct {
	Width, Height int
	Dark          bool
}

// Tab is one page, with storage of its own.
type Tab struct {
	browser                  *Browser
	target, session, context string

	mu       sync.Mutex
	faults   []Fault
	requests []string // their addresses
	bytes    int      // of all responses, as they came over the line
}

// Fault is something that went wrong in a page.
type Fault struct {
	Kind string // exception, console, network, security, or what the browser calls it
	Text string
	URL  string // that of what could not be loaded
}

func (f Fault) String() string { return strings.TrimSpace(f.Kind + ": " + f.Text + " " + f.URL) }

// values are the parameters of a call.
type values = map[string]any

// Open opens an empty tab.
func (b *Browser) Open(ctx context.Context, v View) (*Tab, error) {
	t := &Tab{browser: b}
	var made struct{ BrowserContextID string }
	if err := b.pipe.call(ctx, "", "Target.createBrowserContext", values{}, &made); err != nil {
		return nil, err
	}
	t.context = made.BrowserContextID
	var target struct{ TargetID string }
	if err := b.pipe.call(ctx, "", "Target.createTarget", values{"url": "about:blank", "browserContextId": t.context, "width": v.Width, "height": v.Height, "newWindow": true}, &target); err != nil {
		return nil, err
	}
	t.target = target.TargetID
	var attached struct{ SessionID string }
	if err := b.pipe.call(ctx, "", "Target.attachToTarget", values{"targetId": t.target, "flatten": true}, &attached); err != nil {
		return nil, err
	}
	t.session = attached.SessionID
	b.pipe.listen(t.session, t.told)
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		if err := t.call(ctx, domain+".enable", values{}, nil); err != nil {
			return nil, err
		}
	}
	if err := t.call(ctx, "Emulation.setFocusEmulationEnabled", values{"enabled": true}, nil); err != nil {
		return nil, err
	}
	return t, t.Look(ctx, v)
}

func (t *Tab) call(ctx context.Context, method string, params, into any) error {
	return t.browser.pipe.call(ctx, t.session, method, params, into)
}

// Close closes the tab and forgets what it stored.
func (t *Tab) Close(ctx context.Context) error {
	return t.browser.pipe.call(ctx, "", "Target.disposeBrowserContext", values{"browserContextId": t.context}, nil)
}

// Look changes the size of the window and the colours that the reader prefers.
func (t *Tab) Look(ctx context.Context, v View) error {
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	features := []values{{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}}
	return errors.Join(
		t.call(ctx, "Emulation.setDeviceMetricsOverride", values{"width": v.Width, "height": v.Height, "deviceScaleFactor": 1, "mobile": false}, nil),
		t.call(ctx, "Emulation.setEmulatedMedia", values{"features": features}, nil))
}

// BeforeLoad has a script run in each page before the page's own.
func (t *Tab) BeforeLoad(ctx context.Context, script string) error {
	return t.call(ctx, "Page.addScriptToEvaluateOnNewDocument", values{"source": script}, nil)
}

// MoveTo puts the tab into a time zone, such as Asia/Kolkata.
func (t *Tab) MoveTo(ctx context.Context, zone string) error {
	return t.call(ctx, "Emulation.setTimezoneOverride", values{"timezoneId": zone}, nil)
}

// Navigate loads a page; it does not wait until it is there.
func (t *Tab) Navigate(ctx context.Context, url string) error {
	var done struct{ ErrorText string }
	if err := t.call(ctx, "Page.navigate", values{"url": url}, &done); err != nil {
		return err
	}
	if done.ErrorText != "" {
		return fmt.Errorf("open %s: %s", url, done.ErrorText)
	}
	return nil
}

// Eval gives the value of an expression in the page, or of what it promises.
func (t *Tab) Eval(ctx context.Context, expression string, into any) error {
	var out struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *exception
	}
	err := t.call(ctx, "Runtime.evaluate", values{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &out)
	if err != nil {
		return err
	}
	if out.ExceptionDetails != nil {
		return errors.New(out.ExceptionDetails.String())
	}
	if into == nil || len(out.Result.Value) == 0 {
		return nil
	}
	return json.Unmarshal(out.Result.Value, into)
}

// Await returns when an expression in the page is true. It looks twenty times
// a second; when ctx ends, the error says what still was not.
func (t *Tab) Await(ctx context.Context, expression string) error {
	err := t.Eval(ctx, `new Promise((done) => { const look = () => { if (`+expression+`) done(true); else setTimeout(look, 50); }; look(); })`, nil)
	if err != nil {
		return fmt.Errorf("never came true: %s: %w", expression, err)
	}
	return nil
}

// Picture gives the whole page as a picture: png, or webp of a quality.
func (t *Tab) Picture(ctx context.Context, format string, quality int) ([]byte, error) {
	params := values{"format": format, "captureBeyondViewport": true}
	if format != "png" {
		params["quality"] = quality
	}
	var out struct{ Data []byte }
	err := t.call(ctx, "Page.captureScreenshot", params, &out)
	return out.Data, err
}

// HeapUsed gives the bytes that the page's JavaScript holds, after what it let
// go of was collected.
func (t *Tab) HeapUsed(ctx context.Context) (int, error) {
	if err := t.call(ctx, "HeapProfiler.collectGarbage", values{}, nil); err != nil {
		return 0, err
	}
	var heap struct{ UsedSize float64 }
	err := t.call(ctx, "Runtime.getHeapUsage", values{}, &heap)
	return int(heap.UsedSize), err
}

// Faults gives what went wrong since it was last asked.
func (t *Tab) Faults() []Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := t.faults
	t.faults = nil
	return found
}

// Requests gives the addresses that the page asked for, and how many bytes
// came for them.
func (t *Tab) Requests() (addresses []string, bytes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.requests...), t.bytes
}
