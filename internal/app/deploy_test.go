package app_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/busuhq/busu/internal/storetest"
)

const (
	alertsFile    = "../../deploy/prometheus/alerts.yaml"
	dashboardFile = "../../deploy/grafana/busu.json"
)

type alert struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func readAlerts(t *testing.T) (all []alert) {
	t.Helper()
	text, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct{ Rules []alert }
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 15 {
		t.Fatalf("there are %d alerts", len(all))
	}
	return all
}

// dashboardQueries are the expressions of the dashboard, by their panels.
func dashboardQueries(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title, Type string
			FieldConfig struct{ Defaults struct{ Unit string } }
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	queries := map[string][]string{}
	for _, p := range board.Panels {
		if p.Type == "row" {
			continue
		}
		if p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 || queries[p.Title] != nil {
			t.Errorf("the panel %q has no unit or no query, or is there twice", p.Title)
		}
		for _, target := range p.Targets {
			queries[p.Title] = append(queries[p.Title], target.Expr)
		}
	}
	if len(queries) < 30 {
		t.Fatalf("there are %d panels", len(queries))
	}
	return queries
}

var metricName = regexp.MustCompile(`\b(?:busu|go|process)_[a-z_]+\b`)

// onlyThen are metrics with labels that nothing has until it happens, and those
// of TLS and of a replica, which there are not here.
var onlyThen = []string{"busu_unpriced_requests_total", "busu_errors_total", "busu_fallbacks_total", "busu_guard_tripped",
	"busu_shadow_total", "busu_shadow_judged_total", "busu_cache_hits_total", "busu_feedback_joined_total",
	"busu_tls_certificate_refused", "busu_tls_certificate_expires_timestamp_seconds",
	"busu_postgres_replica_used", "busu_postgres_replica_lag_seconds"}

// Every metric that an alert or a panel asks for is exported by a process that
// runs, or is registered and comes when it happens.
func TestAlertsAndPanelsAskForWhatIsExported(t *testing.T) {
	t.Parallel()
	p := start(t, nil, []string{"DATABASE_URL=" + storetest.Postgres(t), "REDIS_URL=" + storetest.Redis(t), "BUSU_STATE_DIR=" + stateDir(t),
		"BUSU_CONFIG=" + configFile(t, quick)}, "busu", "up")
	p.ask(3)
	exported := p.metricNames()
	for _, name := range onlyThen {
		if !slices.Contains(exported, name) && registered(t, name) {
			exported = append(exported, name)
		}
	}
	asked := dashboardQueries(t)
	for _, a := range readAlerts(t) {
		asked[a.Alert] = append(asked[a.Alert], a.Expr)
	}
	for where, queries := range asked {
		for _, query := range queries {
			for _, name := range metricName.FindAllString(query, -1) {
				if base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, ""); !slices.Contains(exported, name) && !slices.Contains(exported, base) {
					t.Errorf("%s asks for %s, which no process exports", where, name)
				}
			}
		}
	}
	p.stop()
}

// metricNames are those that the process exports.
func (p *process) metricNames() (names []string) {
	p.t.Helper()
	r, err := http.Get(p.base + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "# TYPE "); ok {
			name, _, _ := strings.Cut(rest, " ")
			names = append(names, name)
		}
	}
	if len(names) < 50 {
		p.t.Fatalf("exported are only %v", names)
	}
	return names
}

// registered reports whether a room registers a metric of this name.
func registered(t *testing.T, name string) bool {
	t.Helper()
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"`+name+`"`) {
			return true
		}
	}
	return false
}

// Every alert says what is wrong, has a section that says what to do, and a
// test; and where Prometheus's own tool is there, it agrees.
func TestAlertsSayWhatToDo(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("../../deploy/prometheus/alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	runbook := regexp.MustCompile(`(?s)^- \*\*Means:\*\* \S.*\n- \*\*Check:\*\* \S.*\n- \*\*Cure:\*\* \S`)
	seen := map[string]bool{}
	for _, a := range readAlerts(t) {
		if seen[a.Alert] || a.Annotations["summary"] == "" || a.Annotations["description"] == "" ||
			!slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
			t.Errorf("%s is there twice, or says not what is wrong: %+v", a.Alert, a)
		}
		seen[a.Alert] = true
		if !strings.HasSuffix(a.Annotations["runbook_url"], "/docs/operating.md#"+strings.ToLower(a.Alert)) ||
			!strings.Contains(string(page), "\n### "+a.Alert+"\n\n") {
			t.Errorf("%s has no section in docs/operating.md, or does not point to it: %s", a.Alert, a.Annotations["runbook_url"])
		}
		_, section, _ := strings.Cut(string(page), "\n### "+a.Alert+"\n\n")
		section, _, _ = strings.Cut(section, "\n#")
		if !runbook.MatchString(section) {
			t.Errorf("docs/operating.md does not say what %s means, what to check, and the cure, a point each:\n%s", a.Alert, section)
		}
		for _, what := range []string{" comes", " does not come"} {
			if !strings.Contains(string(tests), `"`+a.Alert+what+`"`) {
				t.Errorf("no test says that %s%s", a.Alert, what)
			}
		}
	}
	for _, heading := range regexp.MustCompile(`\n### (Busu\w+)\n`).FindAllStringSubmatch(string(page), -1) {
		if !seen[heading[1]] {
			t.Errorf("docs/operating.md has a section on %s, which is no alert", heading[1])
		}
	}
	tool, err := exec.LookPath("promtool")
	if err != nil {
		return // make check asks for it, too
	}
	for _, args := range [][]string{{"check", "rules", alertsFile}, {"test", "rules", "../../deploy/prometheus/alerts_test.yaml"}} {
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
