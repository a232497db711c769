package tracing

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
)

// FuzzTraceparent: whatever a caller says of a trace, the request has one, and
// it is the caller's only where that can be one.
func FuzzTraceparent(f *testing.F) {
	for _, seed := range []string{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", "", "-"} {
		f.Add(seed, "vendor=1")
	}
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "a=b,a=c,,=\x00")
	c := &collector{Server: httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
	f.Cleanup(c.Close)
	tr := c.tracing(1)
	f.Cleanup(func() { _ = tr.Close(context.WithoutCancel(f.Context())) })
	f.Fuzz(func(t *testing.T, parent, state string) {
		r := httptest.NewRequest("POST", "/complete", nil)
		r.Header["Traceparent"], r.Header["Tracestate"] = []string{parent}, []string{state}
		id := uuid.Must(uuid.NewV7())
		ctx, done := tr.Begin(r, "/complete", id)
		done(200)
		got := trace.SpanContextFromContext(ctx)
		if !got.IsValid() {
			t.Fatalf("%q: no trace", parent)
		}
		theirs := len(parent) >= 55 && got.TraceID().String() == parent[3:35]
		if !theirs && got.TraceID() != trace.TraceID(id) {
			t.Errorf("%q is followed as %s", parent, got.TraceID())
		}
	})
}
