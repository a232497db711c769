package redacthook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestTextsAreSentAndComeBack(t *testing.T) {
	t.Parallel()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q question
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.Method != http.MethodPost || r.URL.Path != "/redact" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v: %v", r.Method, r.URL, r.Header, err)
		}
		for i := range q.Texts {
			q.Texts[i] = strings.ReplaceAll(q.Texts[i], "Ada", "[PERSON_1]") + " of " + q.Project
		}
		_ = json.NewEncoder(w).Encode(answer{q.Texts, map[string]string{"[PERSON_1]": "Ada"}})
	}))
	defer service.Close()
	texts, values, err := New(service.URL+"/redact", time.Minute).Redact(t.Context(), "p", []string{"Ada", "<x>"})
	if err != nil || len(texts) != 2 || texts[0] != "[PERSON_1] of p" || texts[1] != "<x> of p" || values["[PERSON_1]"] != "Ada" {
		t.Errorf("%q, %v, %v", texts, values, err)
	}
}

func TestServicesThatFail(t *testing.T) {
	t.Parallel()
	const secret = "ada@example.org"
	var strayed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }))
	defer elsewhere.Close()
	handlers := map[string]http.HandlerFunc{
		"/307": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"/500":      func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); _, _ = io.Copy(w, r.Body) },
		"/204":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"/nonsense": func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body); fmt.Fprint(w, secret) },
		"/types":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"texts": %q}`, secret) },
		"/endless": func(w http.ResponseWriter, _ *http.Request) {
			for block := []byte(strings.Repeat(" ", 1<<20)); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		},
		"/hangs-up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handlers[r.URL.Path](w, r) }))
	defer service.Close()
	for path, want := range map[string]string{"/307": "307", "/500": "500", "/204": "204", "/nonsense": "JSON", "/types": "JSON", "/endless": "32 MiB", "/hangs-up": "EOF"} {
		texts, values, err := New(service.URL+path+"?"+secret, time.Minute).Redact(t.Context(), "p", []string{secret})
		if err == nil || texts != nil || values != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %q, %v, %v", path, texts, values, err)
		}
	}
	if strayed.Load() > 0 {
		t.Error("a prompt was sent elsewhere")
	}
	if _, _, err := New("http://127.0.0.1:1/", time.Minute).Redact(t.Context(), "p", nil); err == nil {
		t.Error("nobody answered, and that is no error")
	}
}

func TestServicesHaveTheirTime(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	let := make(chan struct{})
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-let }))
	defer service.Close()
	defer close(let)
	h := New(service.URL, 50*time.Millisecond)
	if _, _, err := h.Redact(t.Context(), "p", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	h.within = time.Minute
	ctx, leave := context.WithCancel(t.Context())
	for len(asked) > 0 {
		<-asked
	}
	go func() { <-asked; leave() }()
	if _, _, err := h.Redact(ctx, "p", nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
