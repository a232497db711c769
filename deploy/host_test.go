package deploy_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	strict "sigs.k8s.io/yaml"

	"github.com/busuhq/busu/internal/config"
)

var processes = []string{"api", "worker", "aggregator"}

// directives are a unit's lines, by section and name.
func directives(t *testing.T, file string) map[string][]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, section := map[string][]string{}, ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
		} else if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			all[section+"."+name] = append(all[section+"."+name], value)
		}
	}
	return all
}

// Units run their process as nobody special, with variables that there are and
// time to stop, and systemd finds no fault with them, where it is there.
func TestUnits(t *testing.T) {
	t.Parallel()
	known := variables(t)
	for _, p := range processes {
		file := "systemd/busu-" + p + ".service"
		d := directives(t, file)
		for name, want := range map[string]string{
			"Service.ExecStart": "/usr/local/lib/busu/" + p, "Service.User": "busu", "Service.NoNewPrivileges": "yes",
			"Service.ProtectSystem": "strict", "Service.CapabilityBoundingSet": "", "Service.Restart": "always",
			"Service.StateDirectory": "busu/" + p, "Service.TimeoutStopSec": "40s", "Service.EnvironmentFile": "/etc/busu/busu.env",
		} {
			if got := d[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s is %q, not %q", file, name, got, want)
			}
		}
		for pair := range strings.FieldsSeq(d["Service.Environment"][0]) {
			name, value, _ := strings.Cut(pair, "=")
			if !slices.Contains(known, name) {
				t.Errorf("%s sets %s, which no process asks for", file, name)
			}
			if name == "BUSU_STATE_DIR" && value != "/var/lib/"+d["Service.StateDirectory"][0] {
				t.Errorf("%s: the state in %s cannot be written", file, value)
			}
		}
		analyzed(t, p, file)
	}
	text, err := os.ReadFile("systemd/busu.env")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "#"), "="); ok && !strings.Contains(name, " ") && !slices.Contains(known, name) {
			t.Errorf("busu.env sets %s, which no process asks for", name)
		}
	}
}

// analyzed lets systemd look at a unit whose program is there.
func analyzed(t *testing.T, process, file string) {
	t.Helper()
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(t.TempDir(), filepath.Base(file))
	if err := os.WriteFile(there, []byte(strings.Replace(string(text), "/usr/local/lib/busu/"+process, "/bin/true", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify", "--recursive-errors=no", there}, {"security", "--offline=true", "--threshold=20", there}} {
		out, err := exec.Command(tool, args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}

// compose loads compose files as docker compose does.
func compose(t *testing.T, files ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions(files, cli.WithWorkingDirectory(".."), cli.WithName("busu"),
		cli.WithEnv([]string{"BUSU_ADMIN_KEY=sixteen-letters-long", "GRAFANA_PASSWORD=p"}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestComposeFiles(t *testing.T) {
	t.Parallel()
	known := variables(t)
	for _, files := range [][]string{{"../docker-compose.yml"}, {"../docker-compose.yml", "../docker-compose.scale.yml"}} {
		p := compose(t, files...)
		for name, s := range p.Services {
			if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
				t.Errorf("%s may gain privileges", name)
			}
			for _, v := range s.Volumes {
				if _, err := os.Stat(v.Source); v.Type == types.VolumeTypeBind && err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			for _, port := range s.Ports {
				if port.HostIP != "127.0.0.1" {
					t.Errorf("%s is open to the network: %+v", name, port)
				}
			}
			if slices.Contains(processes, name) {
				process(t, name, s, known, nil)
			}
		}
		if n := p.Services["worker"].Deploy; len(files) == 2 && (n == nil || *n.Replicas < 2 || len(p.Services["api"].Ports) != 1 || p.Services["api"].Ports[0].Published != "8000-8002") {
			t.Errorf("nothing is scaled out, or its ports collide: %+v, %+v", n, p.Services["api"].Ports)
		}
	}
}

// process holds one of ours to what it asks for.
func process(t *testing.T, name string, s types.ServiceConfig, known []string, files map[string]string) {
	t.Helper()
	env := map[string]string{}
	for variable, value := range s.Environment {
		if !slices.Contains(known, variable) {
			t.Errorf("%s is told %s, which no process asks for", name, variable)
		}
		if value != nil {
			env[variable] = *value
		}
	}
	if err := loads(config.Process(name), env, files); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if s.HealthCheck == nil || !slices.Equal(s.HealthCheck.Test, types.HealthCheckTest{"CMD", "/busu", "health"}) {
		t.Errorf("%s is asked %+v, which does not follow BUSU_ADDR and BUSU_TLS_CERT", name, s.HealthCheck)
	}
	if err := loads(config.Worker, env, files); err != nil { // as busu health does
		t.Errorf("busu health in %s: %v", name, err)
	}
	if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
		t.Errorf("%s may write, or has capabilities", name)
	}
	if !slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == env["BUSU_STATE_DIR"] }) {
		t.Errorf("%s has no volume at %s", name, env["BUSU_STATE_DIR"])
	}
}

// Prometheus of the overlay scrapes the ports on which processes listen, and
// knows the alerts.
func TestPrometheusScrapesAll(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("prometheus/prometheus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Global    map[string]string `json:"global"`
		RuleFiles []string          `json:"rule_files"`
		Scrape    []struct {
			Job string `json:"job_name"`
			DNS []struct {
				Names   []string `json:"names"`
				Type    string   `json:"type"`
				Port    int      `json:"port"`
				Refresh string   `json:"refresh_interval"`
			} `json:"dns_sd_configs"`
		} `json:"scrape_configs"`
	}
	if err := strict.UnmarshalStrict(text, &file); err != nil {
		t.Fatal(err)
	}
	p := compose(t, "../docker-compose.yml", "../docker-compose.scale.yml")
	var scraped []string
	for _, d := range file.Scrape[0].DNS {
		_, port, err := net.SplitHostPort(*p.Services[d.Names[0]].Environment["BUSU_ADDR"])
		if err != nil || port != fmt.Sprint(d.Port) {
			t.Errorf("%s is scraped at %d and listens at %s", d.Names[0], d.Port, port)
		}
		scraped = append(scraped, d.Names...)
	}
	if !slices.Equal(scraped, processes) {
		t.Errorf("scraped are %v", scraped)
	}
	if !slices.ContainsFunc(p.Services["prometheus"].Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == file.RuleFiles[0] }) {
		t.Errorf("%s is not mounted", file.RuleFiles[0])
	}
}
