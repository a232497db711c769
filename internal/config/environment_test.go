package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
)

const adminKey = "0123456789abcdef"

func TestEnvironmentIsRead(t *testing.T) {
	t.Parallel()
	c, err := load(API, env(
		"BUSU_ADDR", "0.0.0.0:80", "BUSU_ADMIN_ADDR", ":8009", "BUSU_ADMIN_KEY_FILE", "/run/admin", "BUSU_STATE_DIR", "/var/lib/busu/",
		"BUSU_LOG_LEVEL", "WARN", "BUSU_LOG_FORMAT", "json", "BUSU_DRAIN", "90s", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318", "OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20abc,X-Team=a,", "OTEL_TRACES_SAMPLER_ARG", ".25",
		"DATABASE_URL", "postgres://busu:pw@db:5432/busu?sslmode=disable",
		"REDIS_URL_FILE", "/run/redis", "REDIS_CACHE_URL", "rediss://cache:6380/1",
	), files("/run/admin", adminKey+"\r\n", "/run/redis", "redis://:pw@a:6379,b:6379/0?addr=c:6379\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct{ name, got, want string }{
		{"addr", c.Addr, "0.0.0.0:80"},
		{"profiles", c.Admin, ":8009"},
		{"admin key", c.AdminKey.Reveal(), adminKey},
		{"state", c.StateDir, "/var/lib/busu"},
		{"level", c.LogLevel.String(), slog.LevelWarn.String()},
		{"format", string(c.LogFormat), "json"},
		{"otlp", c.OTLP.Endpoint, "http://otel:4318"},
		{"otlp headers", fmt.Sprint(c.OTLP.Headers.Pairs()), "map[Authorization:Bearer abc X-Team:a]"},
		{"otlp ratio", fmt.Sprint(c.OTLP.Ratio), "0.25"},
		{"drain", c.Drain.String(), "1m30s"},
		{"database", c.Database.Reveal(), "postgres://busu:pw@db:5432/busu?sslmode=disable"},
		{"redis", c.Redis.Reveal(), "redis://:pw@a:6379,b:6379/0?addr=c:6379"},
		{"cache", c.RedisCache.Reveal(), "rediss://cache:6380/1"},
	} {
		if check.got != check.want {
			t.Errorf("%s is %q, want %q", check.name, check.got, check.want)
		}
	}
}

func TestCacheFollowsTheLedger(t *testing.T) {
	t.Parallel()
	c, err := load(Worker, env("REDIS_URL", "redis://r"), files())
	if err != nil || c.RedisCache != c.Redis || !c.Redis.IsSet() {
		t.Errorf("cache %v, ledger %v, %v", c.RedisCache, c.Redis, err)
	}
}

func TestEmptyVariablesCountAsUnset(t *testing.T) {
	t.Parallel()
	c, err := load(All, env("BUSU_ADDR", "", "DATABASE_URL", "", "OPENAI_API_KEY", "", "BUSU_CONFIG", "", "BUSU_ADMIN_KEY", "",
		"BUSU_ADMIN_KEY_FILE", "/key"), files("/key", adminKey))
	if err != nil || c.Database.IsSet() || c.Providers[0].Kind != KindSimulated || !c.AdminKey.IsSet() {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestDefaultAddresses(t *testing.T) {
	t.Parallel()
	for process, want := range map[Process]string{
		All: "127.0.0.1:8000", API: "127.0.0.1:8000", Worker: "127.0.0.1:8001", Aggregator: "127.0.0.1:8002",
	} {
		c, err := load(process, env(), files())
		if err != nil || c.Addr != want {
			t.Errorf("%s listens on %q, want %q (%v)", process, c.Addr, want, err)
		}
	}
}

func TestOpenAPIStaysOnLoopback(t *testing.T) {
	t.Parallel()
	for addr, open := range map[string]bool{
		"127.0.0.1:8000": true, "127.8.9.10:0": true, "[::1]:8000": true, "localhost:8000": true, "LOCALHOST:8000": true,
		"[::ffff:127.0.0.1]:8000": true,
		"0.0.0.0:8000":            false, ":8000": false, "[::]:8000": false, "10.0.0.1:8000": false,
		"busu.example.com:8000": false, "localhost.example.com:8000": false, "127.0.0.1.example.com:80": false,
	} {
		_, err := load(API, env("BUSU_ADDR", addr), files())
		if (err == nil) != open {
			t.Errorf("%s without a key: %v", addr, err)
		}
		if err != nil && !strings.Contains(err.Error(), "without BUSU_ADMIN_KEY the API is open") {
			t.Errorf("%s: %v", addr, err)
		}
		if _, err := load(API, env("BUSU_ADDR", addr, "BUSU_ADMIN_KEY", adminKey), files()); err != nil {
			t.Errorf("%s with a key: %v", addr, err)
		}
		if _, err := load(Worker, env("BUSU_ADDR", addr), files()); err != nil {
			t.Errorf("a worker on %s: %v", addr, err)
		}
	}
}

func TestBadEnvironment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		variables []string
		want      string
	}{
		{"address", []string{"BUSU_ADDR", "8000"}, `BUSU_ADDR: "8000" is not host:port; write it like 127.0.0.1:8000 or [::1]:8000`},
		{"port", []string{"BUSU_ADDR", "127.0.0.1:70000"}, `BUSU_ADDR: "127.0.0.1:70000" is not host:port; write it like 127.0.0.1:8000 or [::1]:8000`},
		{"open", []string{"BUSU_ADDR", "0.0.0.0:8000"}, "BUSU_ADDR: without BUSU_ADMIN_KEY the API is open, so it does not listen on 0.0.0.0:8000 beyond this machine; set BUSU_ADMIN_KEY, or listen on 127.0.0.1:8000"},
		{"open profiles", []string{"BUSU_ADMIN_ADDR", "0.0.0.0:8009"}, "BUSU_ADMIN_ADDR: without BUSU_ADMIN_KEY profiles are open, so they are not shown on 0.0.0.0:8009 beyond this machine; set BUSU_ADMIN_KEY, or listen on 127.0.0.1:8009"},
		{"admin port", []string{"BUSU_ADMIN_ADDR", ":x"}, `BUSU_ADMIN_ADDR: ":x" is not host:port; write it like 127.0.0.1:8000 or [::1]:8000`},
		{"short key", []string{"BUSU_ADMIN_KEY", "fifteen-letters"}, "BUSU_ADMIN_KEY: it is shorter than 16 characters; make one with: openssl rand -hex 32"},
		{"key with a break", []string{"BUSU_ADMIN_KEY", "0123456789\nabcdefgh"}, "BUSU_ADMIN_KEY: it holds a space, a line break or another character that no key has, or is too long; copy the secret again, without quotes"},
		{"both", []string{"OPENAI_API_KEY", "a", "OPENAI_API_KEY_FILE", "/key"}, "OPENAI_API_KEY: both it and OPENAI_API_KEY_FILE are set; unset one of them"},
		{"both of a store", []string{"REDIS_URL", "redis://a", "REDIS_URL_FILE", "/key"}, "REDIS_URL: both it and REDIS_URL_FILE are set; unset one of them"},
		{"no such file", []string{"CEREBRAS_API_KEY_FILE", "/nowhere"}, "CEREBRAS_API_KEY_FILE: the file it names cannot be read (no such file); check the path and its permissions"},
		{"forbidden file", []string{"CEREBRAS_API_KEY_FILE", "/forbidden"}, "CEREBRAS_API_KEY_FILE: the file it names cannot be read (permission denied); check the path and its permissions"},
		{"broken file", []string{"CEREBRAS_API_KEY_FILE", "/broken"}, "CEREBRAS_API_KEY_FILE: the file it names cannot be read (reading it failed); check the path and its permissions"},
		{"empty file", []string{"CEREBRAS_API_KEY_FILE", "/empty"}, "CEREBRAS_API_KEY_FILE: the file it names is empty; write the secret into it"},
		{"no config", []string{"BUSU_CONFIG", "/nowhere"}, "BUSU_CONFIG: the file it names cannot be read (no such file); check the path, or unset it to run on defaults"},
		{"level", []string{"BUSU_LOG_LEVEL", "wran"}, `BUSU_LOG_LEVEL: "wran" is no log level; did you mean "warn"?`},
		{"format", []string{"BUSU_LOG_FORMAT", "yaml"}, `BUSU_LOG_FORMAT: "yaml" is no log format; it can be text, json or auto`},
		{"otlp", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "otel:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT: it is not an http or https address of a host; write it like http://127.0.0.1:4318, without user or password"},
		{"otlp headers", []string{"OTEL_EXPORTER_OTLP_HEADERS", "Bearer%20abc"}, "OTEL_EXPORTER_OTLP_HEADERS: it is no list of headers; write it like Authorization=Bearer%20KEY,X-Team=search, with spaces as %20"},
		{"drain", []string{"BUSU_DRAIN", "10"}, `BUSU_DRAIN: "10" is no time from 0s to 1h0m0s; write it like 15s`},
		{"drain too long", []string{"BUSU_DRAIN", "61m"}, `BUSU_DRAIN: "61m" is no time from 0s to 1h0m0s; write it like 15s`},
		{"otlp ratio", []string{"OTEL_TRACES_SAMPLER_ARG", "NaN"}, `OTEL_TRACES_SAMPLER_ARG: "NaN" is not from 0 to 1; 0.01 tells of one in a hundred traces that begin here`},
		{"database", []string{"DATABASE_URL", "mysql://u:pw@db/x"}, "DATABASE_URL: it does not begin with postgres:// or postgresql://; write postgres://user:password@host:port/… with special characters percent-encoded"},
		{"replica", []string{"DATABASE_URL", "postgres://db/x", "DATABASE_READ_URL", "mysql://u:pw@db/x"}, "DATABASE_READ_URL: it does not begin with postgres:// or postgresql://; write postgres://user:password@host:port/… with special characters percent-encoded"},
		{"replica of nothing", []string{"DATABASE_READ_URL", "postgres://u:pw@db/x"}, "DATABASE_READ_URL: it is set, and DATABASE_URL is not; set DATABASE_URL to the primary that it is a replica of"},
		{"replica's lag", []string{"DATABASE_READ_MAX_LAG", "1s"}, `DATABASE_READ_MAX_LAG: "1s" is no time from 2s to 1h0m0s; write it like 15s`},
		{"redis host", []string{"REDIS_URL", "redis://:pw@"}, "REDIS_URL: it names no host, or a port that is none; write redis://user:password@host:port/… with special characters percent-encoded"},
		{"redis cluster's database", []string{"REDIS_URL", "redis://a,b/1"}, "REDIS_URL: a cluster has database 0 only; write redis://user:password@host:port/… with special characters percent-encoded"},
		{"redis sentinels' master", []string{"REDIS_URL", "redis+sentinel://:pw@a,b"}, "REDIS_URL: it does not say which master the Sentinels watch, as in redis+sentinel://host:26379/mymaster; write redis://user:password@host:port/… with special characters percent-encoded"},
		{"redis port", []string{"REDIS_CACHE_URL", "redis://a:6379,b:x"}, "REDIS_CACHE_URL: it names no host, or a port that is none; write redis://user:password@host:port/… with special characters percent-encoded"},
		{"slash in password", []string{"DATABASE_URL", "postgres://u:p/w@db/x"}, "DATABASE_URL: its user or password holds a / or ?; write postgres://user:password@host:port/… with special characters percent-encoded"},
		{"webhook secret", []string{"BUSU_WEBHOOK_SECRET", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
			`BUSU_WEBHOOK_SECRET: secret 1 is not whsec_ followed by base64; make one with: echo "whsec_$(openssl rand -base64 32)"; separate an old and a new one by a comma`},
		{"short webhook secret", []string{"BUSU_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,whsec_MfKQ"},
			`BUSU_WEBHOOK_SECRET: secret 2 has 3 bytes, must have 24 to 64; make one with: echo "whsec_$(openssl rand -base64 32)"; separate an old and a new one by a comma`},
		{"statement key", []string{"BUSU_STATEMENT_KEY", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"},
			"BUSU_STATEMENT_KEY: it is no Ed25519 private key in PEM (PKCS#8); make one with: busu statement keygen"},
		{"several", []string{"BUSU_ADMIN_KEY", "short", "BUSU_LOG_LEVEL", "loud"},
			"BUSU_ADMIN_KEY: it is shorter than 16 characters; make one with: openssl rand -hex 32\n" +
				`BUSU_LOG_LEVEL: "loud" is no log level; it can be debug, info, warn or error`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(All, env(c.variables...), brokenFiles)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("Load gave %v, want Problems", err)
			}
			if err.Error() != c.want {
				t.Errorf("problems\n%s\nwant\n%s", err, c.want)
			}
			checkEachHasAHint(t, problems)
		})
	}
}

func brokenFiles(path string) ([]byte, error) {
	switch path {
	case "/empty":
		return []byte("\n"), nil
	case "/key":
		return []byte("key"), nil
	case "/forbidden":
		return nil, fs.ErrPermission
	case "/broken":
		return nil, errors.New("input/output error on " + path)
	}
	return nil, fs.ErrNotExist
}

func TestStoreAddressesThatAreFine(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://db", "postgresql://u:p%40w@[::1]:5432/busu", "postgres://a:1,b:2/busu?target_session_attrs=read-write",
		"postgres:///busu?host=/run/postgresql", "postgres://u:p@w@db/busu",
	} {
		if _, err := load(Worker, env("DATABASE_URL", url), files()); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"redis://r", "rediss://user:pw@r:6380/2", "redis://a,b,c", "redis://[::1]:6379",
		"redis://a/0?addr=b:1", "rediss+cluster://:pw@a", "redis+sentinel://:pw@a,b:26380/mymaster", "rediss+sentinel://a/mymaster/2"} {
		if _, err := load(Worker, env("REDIS_URL", url), files()); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestProblemsOfBothSourcesComeTogether(t *testing.T) {
	t.Parallel()
	_, err := load(All, env("BUSU_CONFIG", "busu.yaml", "BUSU_LOG_LEVEL", "x"), files("busu.yaml", "limit: {}\n"))
	want := "BUSU_LOG_LEVEL: \"x\" is no log level; it can be debug, info, warn or error\n" +
		"busu.yaml line 1: unknown key \"limit\"; did you mean \"limits\"?"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
