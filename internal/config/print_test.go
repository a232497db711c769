package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func printed(t *testing.T, c Config) string {
	t.Helper()
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// What Print writes loads to the same configuration again.
func TestPrintRoundTrip(t *testing.T) {
	t.Parallel()
	for _, path := range testFiles(t, "good") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			first := mustLoad(t, readFile(t, path))
			second := mustLoad(t, printed(t, first))
			// What was decided by default is written out, so the notes differ.
			first.Notes, second.Notes = nil, nil
			if !reflect.DeepEqual(first, second) {
				t.Errorf("loaded again\n got %+v\nwant %+v", second, first)
			}
		})
	}
}

func TestPrintGolden(t *testing.T) {
	t.Parallel()
	c, err := load(API, env("BUSU_ADMIN_KEY", adminKey, "DATABASE_URL", "postgres://busu:hunter2@db/busu?sslmode=disable&sslpassword=hunter2",
		"REDIS_URL", "redis://:hunter2@r:6379/0", "CEREBRAS_API_KEY", "csk-hunter2"), files())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/print.txt", []byte(printed(t, c)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := printed(t, c), readFile(t, "testdata/print.txt"); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestQuoteKeepsText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"yes", "True", "NO", "off", "y", "nan", "Inf", "e1", "plain", "a/b.c", "1e3", "null", "a: b", "# x", "gpt-6-luna", "é\t\"q\"\\", "0x10", ".inf", "-", "~", "2026-11-23", "a-1:2"} {
		c := mustLoad(t, "routing: {default_experiment: "+quote(strings.ReplaceAll(text, "\t", ""))+"}\n")
		if want := strings.ReplaceAll(text, "\t", ""); c.Routing.DefaultExperiment != want {
			t.Errorf("%q became %q", want, c.Routing.DefaultExperiment)
		}
	}
}

// secrets are values that must not appear in anything that Load says.
var secrets = []string{"hunter2", openAIKey, "sk-proj-4fQb7Zc0aPq1rTn8vXw5yJk2mLd9hGs6", "s3cr3t-admin-key-0001"}

func checkNoSecret(t *testing.T, what, text string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows the secret %q:\n%s", what, secret, text)
		}
	}
}

func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	c, err := load(All, env("BUSU_ADMIN_KEY", secrets[3], "OPENAI_API_KEY", openAIKey, "OTHER_API_KEY", secrets[2],
		"DATABASE_URL", "postgres://busu:hunter2@db/busu?sslpassword=hunter2", "REDIS_URL", "redis://:hunter2@r:6379",
		"REDIS_CACHE_URL", "redis://user:hunter2@hunter2@r:6379", "BUSU_CONFIG", "f"), files("f",
		"providers: [{name: openai}, {name: other, kind: openai, base_url: 'https://x.example/v1', api_key_env: OTHER_API_KEY}]\n"+
			"models: [{id: gpt-6-luna, provider: openai}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	checkNoSecret(t, "Print", printed(t, c))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		checkNoSecret(t, verb, fmt.Sprintf(verb, c))
		checkNoSecret(t, verb, fmt.Sprintf(verb, &c))
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	checkNoSecret(t, "JSON", string(encoded))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c, "key", c.AdminKey, "db", c.Database)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", c, "key", c.AdminKey, "db", c.Database)
	checkNoSecret(t, "slog", log.String())
	checkNoSecret(t, "notes", strings.Join(append(c.Notes, c.Warnings...), "\n"))
}

// However wrong the configuration is, no secret is quoted.
func TestNoSecretInErrors(t *testing.T) {
	t.Parallel()
	long := secrets[2]
	for i, c := range []struct{ variables, yaml string }{
		{"DATABASE_URL=mysql://u:hunter2@h", ""},
		{"DATABASE_URL=postgres://u:hunter2@h:x/d", ""},
		{"DATABASE_URL=postgres://u:hun/hunter2@h/d#hunter2", ""},
		{"DATABASE_URL=host=h password=hunter2", ""},
		{"REDIS_URL=hunter2", ""},
		{"REDIS_URL=redis://:hunter2@", ""},
		{"BUSU_ADMIN_KEY=hunter2", ""},
		{"BUSU_ADMIN_KEY=" + openAIKey + " " + long, ""},
		{"OPENAI_API_KEY_FILE=" + long, ""},
		{"OPENAI_API_KEY=" + openAIKey + ",OPENAI_API_KEY_FILE=/hunter2", ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://u:hunter2@h", ""},
		{"BUSU_LOG_LEVEL=" + long, ""},
		{"BUSU_ADDR=" + long, ""},
		{"BUSU_TLS_CERT=" + long, ""},
		{"BUSU_TLS_CERT=/hunter2,BUSU_TLS_KEY=" + long, ""},
		{"BUSU_TLS_MIN_VERSION=" + long, ""},
		{"BUSU_CLIENT_CERT=/hunter2,BUSU_CLIENT_KEY=" + long, ""},
		{"REDIS_URL=rediss://:hunter2@h?sslrootcert=/" + long, ""},
		{"", "providers: [{name: a, kind: openai, base_url: 'https://u:hunter2@h/v1'}]"},
		{"", "providers: [{name: a, kind: openai, base_url: 'https://h/v1?key=hunter2'}]"},
		{"", "providers: [{name: a, kind: openai, base_url: 'ht tp://hunter2'}]"},
		{"", "providers: [{name: a, kind: openai, api_key_env: " + long + "}]"},
		{"", "providers: [{name: a, kind: openai, api_key: " + long + "}]"},
		{"", "providers: [{name: openai, api_key_env: hunter2}]"},
		{"", "providers: [{name: " + long + ", kind: " + long + "}]"},
		{"", "models: [{id: '" + long + " ', provider: " + long + ", tier: " + long + "}]"},
		{"", "routing: {strategy: " + long + ", baseline_model: " + long + "}"},
		{"", long + ": true"},
		{"", "cache: {ttl: " + long + ", scope: " + long + "}\njournal: {max_bytes: " + long + ", sync: " + long + ", rotate_after: " + long + "}"},
		{"", "api_key: " + long + ": x: y\n  bad"},
		{"", "providers: [{name: a, api_key: " + long},
		{"", "providers: \"" + long},
		{"", "%" + long + "\n---\n"},
		{"", "key: @" + long},
		{"", "key: &" + long + " *" + long},
		{"", "a: |" + long + "\n  x"},
	} {
		pairs := []string{"BUSU_CONFIG", "f", "OPENROUTER_API_KEY", openAIKey}
		for variable := range strings.SplitSeq(c.variables, ",") {
			name, secret, _ := strings.Cut(variable, "=")
			pairs = append(pairs, name, secret)
		}
		_, err := load(All, env(pairs...), files("f", c.yaml))
		if err == nil {
			t.Errorf("case %d is accepted: %+v", i, c)
			continue
		}
		checkNoSecret(t, fmt.Sprintf("case %d", i), err.Error())
	}
}
