// Package bare is what busu is held against: the least that a proxy or a cache
// does on the libraries that there are. None of them knows keys, limits,
// routes, experiments or facts.
package bare

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"
	"github.com/valyala/fasthttp"

	"github.com/busuhq/busu/bench/mock"
)

// Kinds of servers.
const (
	Mock         = "mock"          // the upstream itself
	ReverseProxy = "reverse-proxy" // net/http/httputil
	EchoProxy    = "echo-proxy"    // Echo, with encoding/json both ways
	FastHTTP     = "fasthttp"      // a proxy on fasthttp
	EchoConstant = "echo-constant" // Echo, the same bytes every time
	EchoRedis    = "echo-redis"    // Echo, bytes that one GET brings
)

const (
	connections  = 4096 // that a proxy keeps to its upstream
	redisPool    = 64
	answerWithin = time.Minute
	redisKey     = "bench:answer"
)

// Serve serves until ctx ends. Target is the upstream's address, or the URL of
// a Redis.
func Serve(ctx context.Context, l net.Listener, kind, target string) error {
	go func() { <-ctx.Done(); _ = l.Close() }()
	switch kind {
	case Mock:
		return mock.Serve(l)
	case FastHTTP:
		return serveFastHTTP(l, target)
	case ReverseProxy:
		return serve(ctx, l, reverseProxy(target))
	case EchoProxy:
		return serve(ctx, l, echoProxy(target))
	case EchoConstant:
		return serve(ctx, l, echoConstant())
	case EchoRedis:
		handler, err := echoRedis(ctx, target)
		if err != nil {
			return err
		}
		return serve(ctx, l, handler)
	default:
		return fmt.Errorf("unknown kind of server %q", kind)
	}
}

func serve(ctx context.Context, l net.Listener, handler http.Handler) error {
	server := http.Server{Handler: handler}
	if err := server.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

func transport() *http.Transport {
	return &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections, DisableCompression: true}
}

func reverseProxy(target string) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: target}) },
		Transport:     transport(),
		FlushInterval: -1, // pieces of streams go on at once
		ErrorLog:      log.New(discard{}, "", 0),
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// chat is a request and its answer as most would write them down.
type chat struct {
	Model    string    `json:"model"`
	Messages []message `json:"messages"`
	Stream   bool      `json:"stream,omitempty"`
}

type message struct {
	Role    string  `json:"role"`
	Content string  `json:"content"`
	Refusal *string `json:"refusal,omitempty"`
}

type completion struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
	} `json:"usage"`
	Fingerprint string `json:"system_fingerprint"`
}

type choice struct {
	Index        int             `json:"index"`
	Message      message         `json:"message"`
	Logprobs     json.RawMessage `json:"logprobs"`
	FinishReason string          `json:"finish_reason"`
}

func ready(c echo.Context) error { return c.NoContent(http.StatusOK) }

func newEcho(answer echo.HandlerFunc) *echo.Echo {
	e := echo.New()
	e.GET("/readyz", ready)
	e.POST("/v1/chat/completions", answer)
	return e
}

func echoConstant() http.Handler {
	answer := mock.Answer()
	return newEcho(func(c echo.Context) error { return c.JSONBlob(http.StatusOK, answer) })
}

func echoRedis(ctx context.Context, target string) (http.Handler, error) {
	o, err := redis.ParseURL(target)
	if err != nil {
		return nil, err
	}
	o.PoolSize = redisPool
	client := redis.NewClient(o)
	if err := client.Set(ctx, redisKey, mock.Answer(), 0).Err(); err != nil {
		return nil, err
	}
	return newEcho(func(c echo.Context) error {
		answer, err := client.Get(c.Request().Context(), redisKey).Bytes()
		if err != nil {
			return err
		}
		return c.JSONBlob(http.StatusOK, answer)
	}), nil
}

func serveFastHTTP(l net.Listener, target string) error {
	client := &fasthttp.HostClient{Addr: target, MaxConns: connections}
	server := &fasthttp.Server{Handler: func(c *fasthttp.RequestCtx) {
		c.Request.SetHost(target)
		if err := client.Do(&c.Request, &c.Response); err != nil {
			c.Error("the upstream does not answer", fasthttp.StatusBadGateway)
		}
	}}
	return server.Serve(l)
}
