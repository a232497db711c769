package deploy_test

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/busuhq/busu/internal/certificatetest"
)

// keyPair is what a secret of TLS holds, by its keys.
func keyPair(t *testing.T) map[string]string {
	t.Helper()
	a := certificatetest.New(t)
	cert, key := a.Issue(t, certificatetest.Wish{Names: []string{"busu-api.llm.svc"}})
	return map[string]string{"tls.crt": string(cert), "tls.key": string(key), "ca.crt": string(a.PEM)}
}

// mounted are the files that a pod finds of the secret named certificate, by path.
func mounted(p pod, secret map[string]string) map[string]string {
	files := map[string]string{}
	for _, m := range p.spec.Containers[0].VolumeMounts {
		for _, v := range p.spec.Volumes {
			if v.Name != m.Name || v.Secret == nil || v.Secret.SecretName != "certificate" {
				continue
			}
			for _, item := range v.Secret.Items {
				files[path.Join(m.MountPath, item.Path)] = secret[item.Key]
			}
		}
	}
	return files
}

func variable(c corev1.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// asks is the route that a probe asks, by the kubelet or by busu health, and
// whether it gets through to a process that listens like this one.
func asks(p pod, probe *corev1.Probe) (route string, reached bool) {
	c := p.spec.Containers[0]
	secure, certificates := variable(c, "BUSU_TLS_CERT") != "", variable(c, "BUSU_TLS_CLIENT_CA") != ""
	if get := probe.HTTPGet; get != nil {
		return get.Path, !certificates && (get.Scheme == corev1.URISchemeHTTPS) == secure && get.Port.StrVal == c.Ports[0].Name
	}
	if probe.Exec == nil {
		return "", false
	}
	// It takes longer than its answer, which it waits for for three seconds.
	reached = probe.TimeoutSeconds >= 3
	return map[string]string{"/busu health": "/readyz", "/busu health --degraded": "/readyz?degraded=allowed",
		"/busu health --alive": "/healthz"}[strings.Join(probe.Exec.Command, " ")], reached
}

// The flags of probes are those that the command has, with the routes that are
// meant by them.
func TestProbesKnowTheCommand(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../cmd/busu/health.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"case c.Alive:\n\t\treturn \"/healthz\"", "case c.Degraded:\n\t\treturn \"/readyz?degraded=allowed\"", "return \"/readyz\"\n"} {
		if !strings.Contains(string(source), want) {
			t.Errorf("busu health does not say %q", want)
		}
	}
}

// Processes have the certificate and nothing else of its secret, read-only and
// as a directory, so that a new one comes; jobs, which listen nowhere, have none.
func TestTLSIsMounted(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{"least": nil, "tls": {"tls.crt", "tls.key"}, "tls with certificates of clients": {"tls.crt", "tls.key", "ca.crt"}} {
		for _, p := range render(t, variants[name]).pods() {
			var keys []string
			for _, v := range p.spec.Volumes {
				if v.Secret == nil {
					continue
				}
				if v.Secret.DefaultMode == nil || *v.Secret.DefaultMode != 0o440 {
					t.Errorf("%s, %s: others may read the key, or the process cannot: %+v", name, p.of, v.Secret)
				}
				for _, item := range v.Secret.Items {
					keys = append(keys, item.Key)
				}
			}
			if p.job && keys != nil || !p.job && !slices.Equal(keys, want) {
				t.Errorf("%s: %s has %v", name, p.of, keys)
			}
			for _, m := range p.spec.Containers[0].VolumeMounts {
				if m.Name == "tls" && (!m.ReadOnly || m.SubPath != "") {
					t.Errorf("%s: %s may write, or does not see what is new: %+v", name, p.of, m)
				}
			}
		}
	}
}

// Everybody who asks asks over TLS where processes speak it, and by a name that
// the certificate is documented to have.
func TestWhoAsksFollowsTLS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		variant, scheme string
		port            int32
		shows           bool // a certificate
	}{{"everything", "", 80, false}, {"tls", "https", 443, false}, {"tls with certificates of clients", "https", 443, true}} {
		r := render(t, variants[c.variant])
		for _, s := range r.services {
			if port := s.Spec.Ports[0]; s.Spec.ClusterIP != "None" && (port.Port != c.port || (port.AppProtocol != nil) != (c.scheme != "")) {
				t.Errorf("%s: the service has %+v", c.variant, port)
			}
		}
		scrape := r.monitor.Spec.PodMetricsEndpoints[0]
		if scrape.Scheme != c.scheme || (scrape.TLS != nil) != (c.scheme != "") {
			t.Errorf("%s: Prometheus asks by %q with %+v", c.variant, scrape.Scheme, scrape.TLS)
			continue
		}
		if scrape.TLS == nil {
			continue
		}
		if scrape.TLS.ServerName != "busu-api.llm.svc" || scrape.TLS.Insecure || !of(scrape.TLS.CA, "ca.crt") {
			t.Errorf("%s: Prometheus trusts %+v", c.variant, scrape.TLS)
		}
		if shows := of(scrape.TLS.Cert, "tls.crt") && scrape.TLS.Key != nil && scrape.TLS.Key.Name == "certificate" && scrape.TLS.Key.Key == "tls.key"; shows != c.shows {
			t.Errorf("%s: Prometheus shows %+v", c.variant, scrape.TLS)
		}
		if !strings.Contains(r.notes, "https://busu-api.llm.svc/complete") || strings.Contains(r.notes, "http://") || !strings.Contains(r.notes, "8000:443") {
			t.Errorf("%s: the notes ask otherwise:\n%s", c.variant, r.notes)
		}
	}
	own := render(t, "tls: {secretName: certificate}\nmonitoring: {podMonitor: {enabled: true, tlsConfig: {insecureSkipVerify: true}}}")
	if c := own.monitor.Spec.PodMetricsEndpoints[0].TLS; c == nil || !c.Insecure || c.CA != nil || c.ServerName != "" {
		t.Errorf("what is given is %+v", c)
	}
}

// Compose files take the one of docs/deploying.md, and their health checks
// follow it.
func TestComposeOverTLS(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/deploying.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	file := filepath.Join(t.TempDir(), "tls.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := keyPair(t)
	p := compose(t, "../docker-compose.yml", "../docker-compose.scale.yml", file)
	for _, name := range processes {
		s, files := p.Services[name], map[string]string{}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind && v.ReadOnly {
				files[v.Target+"/tls.crt"], files[v.Target+"/tls.key"] = secret["tls.crt"], secret["tls.key"]
			}
		}
		if len(files) == 0 || s.Environment["BUSU_TLS_CERT"] == nil {
			t.Errorf("%s has no certificate: %+v", name, s.Environment)
		}
		process(t, name, s, variables(t), files)
	}
}

func of(s *source, key string) bool {
	return s != nil && s.Secret != nil && s.Secret.Name == "certificate" && s.Secret.Key == key
}
