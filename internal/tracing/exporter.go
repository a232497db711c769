package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporter sends spans to a collector as OTLP over HTTP, in JSON. The exporter
// of OpenTelemetry itself brings gRPC along, though it does not use it: 7 MB of
// binary and most of a minute of building on a machine without a cache, for what
// is one POST.
type exporter struct {
	address string
	headers map[string]string
	client  *http.Client
	log     *slog.Logger

	exported, failed atomic.Int64
	failing          atomic.Bool
}

func newExporter(o Options) *exporter {
	return &exporter{address: strings.TrimRight(o.Endpoint, "/") + "/v1/traces", headers: o.Headers, log: o.Log,
		// A redirect could lead the headers, which may hold a key, elsewhere.
		client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// How often a batch is sent. Meanwhile others wait, and in the end are lost: a
// collector that is away must not cost memory.
const (
	attempts   = 3
	firstPause = 200 * time.Millisecond
	mostPause  = 3 * time.Second
)

// ExportSpans implements trace.SpanExporter.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	body, err := json.Marshal(encode(spans))
	if err == nil {
		err = e.send(ctx, body)
	}
	if err != nil {
		e.failed.Add(int64(len(spans)))
		if !e.failing.Swap(true) { // once until it works again
			e.log.Warn("the collector does not take spans; they are lost until it does, and requests are answered as ever", "err", err)
		}
		return nil // it has been told
	}
	e.exported.Add(int64(len(spans)))
	if e.failing.Swap(false) {
		e.log.Info("the collector takes spans again")
	}
	return nil
}

// Shutdown implements trace.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

func (e *exporter) send(ctx context.Context, body []byte) error {
	pause := firstPause
	for n := 1; ; n++ {
		wait, err := e.post(ctx, body)
		if err == nil || wait < 0 || n == attempts {
			return err
		}
		wait = min(max(wait, pause/2+rand.N(pause)), mostPause)
		pause *= 2
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(wait):
		}
	}
}

// post sends once. With an error it says how long to wait before it is sent
// again at the least, or -1 where that is no use.
func (e *exporter) post(ctx context.Context, body []byte) (again time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.address, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	for name, value := range e.headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := e.client.Do(r)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return 0, failed.Err // its address is configured
	}
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection is used again
	switch answer.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
		return time.Duration(max(seconds, 0)) * time.Second, fmt.Errorf("it answers %s", answer.Status)
	default:
		return -1, fmt.Errorf("it answers %s: is OTEL_EXPORTER_OTLP_ENDPOINT that of OTLP over HTTP, usually port 4318, and OTEL_EXPORTER_OTLP_HEADERS right?", answer.Status)
	}
}
