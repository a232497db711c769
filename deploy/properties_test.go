package deploy_test

import (
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/busuhq/busu/internal/config"
)

// variables are all that the configuration asks the environment for, whatever
// the process: a variable that is renamed there is not among them any more.
func variables(t *testing.T) []string {
	t.Helper()
	asked := []string{"GOMEMLIMIT", "GOGC"} // Go's own
	for _, p := range []config.Process{config.All, config.API, config.Worker, config.Aggregator} {
		_, err := config.Load(p, func(name string) (string, bool) { asked = append(asked, name); return "", false },
			func(string) ([]byte, error) { return nil, fs.ErrNotExist }, time.Now())
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(asked) < 20 {
		t.Fatalf("only %v are asked for", asked)
	}
	return asked
}

// loads reports whether the configuration takes a container's environment and
// its files, by path.
func loads(p config.Process, env, files map[string]string) error {
	_, err := config.Load(p, func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		func(name string) ([]byte, error) {
			text, ok := files[name]
			if !ok {
				return nil, fs.ErrNotExist
			}
			return []byte(text), nil
		}, time.Now())
	return err
}

// No pod may do more than it needs to.
func TestPodsAreConfined(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rendered) {
		for _, p := range r.pods() {
			s := p.spec
			if len(s.Containers) != 1 || len(s.InitContainers) != 0 || s.HostNetwork || s.HostPID || s.HostIPC {
				t.Errorf("%s: another container, or the host's namespaces", p.of)
			}
			if s.AutomountServiceAccountToken == nil || *s.AutomountServiceAccountToken {
				t.Errorf("%s gets a token of the cluster", p.of)
			}
			c := s.SecurityContext
			if c == nil || !is(c.RunAsNonRoot) || c.RunAsUser == nil || *c.RunAsUser != 65532 || c.FSGroup == nil || *c.FSGroup != 65532 || c.SeccompProfile == nil {
				t.Errorf("%s: the pod may be root, or its volumes are another's: %+v", p.of, c)
			}
			for _, v := range s.Volumes {
				if v.HostPath != nil {
					t.Errorf("%s mounts the host", p.of)
				}
			}
			confined(t, p.of, s.Containers[0])
		}
	})
}

func confined(t *testing.T, of string, c corev1.Container) {
	t.Helper()
	s := c.SecurityContext
	if s == nil || !is(s.RunAsNonRoot) || !is(s.ReadOnlyRootFilesystem) || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || is(s.Privileged) {
		t.Errorf("%s: the container may be root, write or gain: %+v", of, s)
		return
	}
	if s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
		t.Errorf("%s has capabilities: %+v", of, s.Capabilities)
	}
	if s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s has no seccomp profile", of)
	}
	for _, what := range []corev1.ResourceName{corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
		if c.Resources.Limits[what] == (resource.Quantity{}) || c.Resources.Requests[what] == (resource.Quantity{}) {
			t.Errorf("%s has no limit or no request of %s", of, what)
		}
	}
	if c.Resources.Requests.Cpu().IsZero() || strings.HasSuffix(c.Image, ":latest") || !strings.ContainsAny(c.Image, ":@") {
		t.Errorf("%s requests no CPU, or its image floats: %s", of, c.Image)
	}
}

func is(b *bool) bool { return b != nil && *b }

// What processes are told is what they ask for, and the configuration takes it.
func TestEnvironmentIsTheConfigurations(t *testing.T) {
	t.Parallel()
	known := variables(t)
	certificate := keyPair(t)
	each(t, func(t *testing.T, r *rendered) {
		file := ""
		for _, c := range r.configs {
			file += c.Data["busu.yaml"]
		}
		secrets := map[string]string{"DATABASE_URL": "postgres://b:b@pg/b", "REDIS_URL": "redis://r:6379", "BUSU_ADMIN_KEY": "sixteen-letters-long"}
		for _, s := range r.secrets {
			secrets = s.StringData
		}
		for _, p := range r.pods() {
			c := p.spec.Containers[0]
			env := map[string]string{}
			for name, value := range secrets {
				env[name] = value
			}
			for _, e := range c.Env {
				env[e.Name] = e.Value
			}
			for name := range env {
				if !slices.Contains(known, name) {
					t.Errorf("%s is told %s, which no process asks for", p.of, name)
				}
			}
			if len(c.EnvFrom) != 1 || c.EnvFrom[0].SecretRef == nil || c.EnvFrom[0].SecretRef.Name == "" {
				t.Errorf("%s gets no secrets", p.of)
			}
			process := config.Process(p.of)
			if p.job {
				process = config.All
			}
			files := mounted(p, certificate)
			if file != "" {
				files["/etc/busu/busu.yaml"] = file
			}
			if err := loads(process, env, files); err != nil {
				t.Errorf("%s: %v", p.of, err)
			}
			checkFile(t, p, env["BUSU_CONFIG"], file != "")
		}
	})
}

// checkFile holds that a file which is named is mounted, and the state written
// where there is a volume.
func checkFile(t *testing.T, p pod, named string, there bool) {
	t.Helper()
	if p.job {
		return
	}
	if (named != "") != there {
		t.Errorf("%s: BUSU_CONFIG is %q", p.of, named)
	}
	mounts := map[string]string{}
	for _, m := range p.spec.Containers[0].VolumeMounts {
		mounts[m.MountPath] = m.Name
	}
	volumes := []string{"journal"} // a claim of the StatefulSet's
	for _, v := range p.spec.Volumes {
		volumes = append(volumes, v.Name)
	}
	if !slices.Contains(volumes, mounts["/var/lib/busu"]) || there && !slices.Contains(volumes, mounts["/etc/busu"]) {
		t.Errorf("%s: the volumes %v and the mounts %v do not fit", p.of, volumes, mounts)
	}
}

// Probes ask routes that the document has, on the port on which the process
// listens; readiness and liveness are not the same question.
func TestProbes(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../schema/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, r *rendered) {
		for _, p := range r.pods() {
			c := p.spec.Containers[0]
			if p.job {
				continue
			}
			if !slices.Equal(c.Command, []string{"/" + p.of}) {
				t.Errorf("%s runs %v", p.of, c.Command)
			}
			var addr string
			for _, e := range c.Env {
				if e.Name == "BUSU_ADDR" {
					addr = e.Value
				}
			}
			port := c.Ports[0]
			if addr != fmt.Sprintf("0.0.0.0:%d", port.ContainerPort) {
				t.Errorf("%s listens on %s, its port is %d", p.of, addr, port.ContainerPort)
			}
			for what, probe := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
				if probe == nil {
					t.Fatalf("%s has no %s probe", p.of, what)
				}
				ask, reached := asks(p, probe)
				if !reached {
					t.Errorf("%s: the %s probe does not get through: %+v", p.of, what, probe.ProbeHandler)
				}
				path, _, _ := strings.Cut(ask, "?")
				if !strings.Contains(string(document), "\n  "+path+":\n") || (path == "/readyz") != (what == "readiness") {
					t.Errorf("%s: %s asks %s", p.of, what, path)
				}
			}
			if ask, _ := asks(p, c.ReadinessProbe); p.of == "api" && ask != "/readyz?degraded=allowed" {
				t.Errorf("a store that is away takes away every API pod: %s", ask)
			}
		}
	})
}

// The API stops after balancers know, and has the time that its parts may take;
// its journal stays, and is larger than it may become.
func TestTheAPIStopsInOrderAndKeepsItsJournal(t *testing.T) {
	t.Parallel()
	const parts = 20 // seconds: what a process may take to stop, as the chaos runs hold it to
	each(t, func(t *testing.T, r *rendered) {
		s := r.api.Spec
		c := s.Template.Spec.Containers[0]
		if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || c.Lifecycle.PreStop.Sleep == nil || c.Lifecycle.PreStop.Sleep.Seconds < 5 {
			t.Fatal("it is told to stop before balancers know")
		}
		if grace := *s.Template.Spec.TerminationGracePeriodSeconds; grace < c.Lifecycle.PreStop.Sleep.Seconds+parts {
			t.Errorf("%d s are not enough for %d s of pause and %d s of stopping", grace, c.Lifecycle.PreStop.Sleep.Seconds, parts)
		}
		for _, d := range []int64{*r.worker.Spec.Template.Spec.TerminationGracePeriodSeconds, *r.aggregator.Spec.Template.Spec.TerminationGracePeriodSeconds} {
			if d < parts {
				t.Errorf("%d s are not enough to stop", d)
			}
		}
		claim := s.VolumeClaimTemplates[0]
		size := claim.Spec.Resources.Requests[corev1.ResourceStorage]
		cfg, err := config.Load(config.API, func(name string) (string, bool) {
			v, ok := map[string]string{"DATABASE_URL": "postgres://b@pg/b", "REDIS_URL": "redis://r:6379"}[name]
			return v, ok
		}, nil, time.Now())
		if err != nil || size.Value() < 2*cfg.Journal.MaxBytes {
			t.Errorf("%s are little for a journal of %d bytes (%v)", &size, cfg.Journal.MaxBytes, err)
		}
		keep := s.PersistentVolumeClaimRetentionPolicy
		if claim.Name != "journal" || keep == nil || keep.WhenDeleted != "Retain" || keep.WhenScaled != "Retain" {
			t.Errorf("the journal goes with its pod: %+v", keep)
		}
		if !slices.ContainsFunc(r.services, func(svc *corev1.Service) bool { return svc.Name == s.ServiceName && svc.Spec.ClusterIP == "None" }) {
			t.Errorf("there is no service %s", s.ServiceName)
		}
	})
}

// Everything that selects pods selects those that it is for, and no others.
func TestSelectorsFit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rendered) {
		own := func(what string, selector *metav1.LabelSelector, want ...string) {
			s, err := metav1.LabelSelectorAsSelector(selector)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range r.pods() {
				if s.Matches(labels.Set(p.meta)) {
					got = append(got, p.of)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s selects %v, not %v", what, got, want)
			}
		}
		own("the StatefulSet", r.api.Spec.Selector, "api")
		own("the worker", r.worker.Spec.Selector, "worker")
		own("the aggregator", r.aggregator.Spec.Selector, "aggregator")
		for _, s := range r.services {
			own("the service "+s.Name, metav1.SetAsLabelSelector(s.Spec.Selector), "api")
		}
		for _, b := range r.budgets {
			own("the budget "+b.Name, b.Spec.Selector, strings.TrimPrefix(b.Name, "busu-"))
		}
		var all []string
		for _, p := range r.pods() {
			all = append(all, p.of)
		}
		for _, n := range r.policies {
			switch n.Name {
			case "busu":
				own("the policy", &n.Spec.PodSelector, all...)
			case "busu-api":
				own("the API's policy", &n.Spec.PodSelector, "api")
			case "busu-providers":
				own("the providers' policy", &n.Spec.PodSelector, "api", "worker")
			default:
				t.Errorf("what is the policy %s for?", n.Name)
			}
		}
	})
}

// The migration comes before the pods of a new release, with what is there
// then; the journals of pods that are gone are adopted from their claims.
func TestJobs(t *testing.T) {
	t.Parallel()
	r := render(t, variants["everything"])
	if len(r.jobs) != 3 {
		t.Fatalf("there are %d jobs", len(r.jobs))
	}
	for _, j := range r.jobs {
		c := j.Spec.Template.Spec.Containers[0]
		if j.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
			t.Errorf("%s starts again by itself", j.Name)
		}
		if claim, adopts := strings.CutPrefix(j.Name, "adopt-"); adopts {
			v := j.Spec.Template.Spec.Volumes
			if !slices.Equal(c.Command, []string{"/busu", "adopt", c.VolumeMounts[0].MountPath}) || v[0].PersistentVolumeClaim.ClaimName != claim {
				t.Errorf("%s runs %v on %+v", j.Name, c.Command, v)
			}
			continue
		}
		if !slices.Equal(c.Command, []string{"/busu", "migrate"}) || j.Annotations["helm.sh/hook"] != "pre-upgrade" || len(j.Spec.Template.Spec.Volumes) > 0 {
			t.Errorf("%s runs %v as %v", j.Name, c.Command, j.Annotations)
		}
	}
}

// Who scales leaves the number of pods to who scales.
func TestScaling(t *testing.T) {
	t.Parallel()
	fixed, scaled := render(t, ""), render(t, variants["everything"])
	if fixed.api.Spec.Replicas == nil || fixed.worker.Spec.Replicas == nil || fixed.hpa != nil || fixed.scaled != nil {
		t.Error("without scaling, the number of pods is said")
	}
	if scaled.api.Spec.Replicas != nil || scaled.worker.Spec.Replicas != nil {
		t.Error("the chart and the autoscaler both say how many pods there are")
	}
	if ref := scaled.hpa.Spec.ScaleTargetRef; ref.Name != scaled.api.Name || ref.Kind != "StatefulSet" {
		t.Errorf("what is scaled is %+v", ref)
	}
	if scaled.scaled.Spec.ScaleTargetRef.Name != scaled.worker.Name {
		t.Errorf("what KEDA scales is %s", scaled.scaled.Spec.ScaleTargetRef.Name)
	}
	source, err := os.ReadFile("../internal/telemetry/system.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, trigger := range scaled.scaled.Spec.Triggers {
		names := regexp.MustCompile(`busu_[a-z_]+`).FindAllString(trigger.Metadata["query"], -1)
		for _, name := range names {
			if !strings.Contains(string(source), `"`+name+`"`) {
				t.Errorf("KEDA asks for %s, which nobody exports", name)
			}
		}
		if len(names) == 0 || trigger.Metadata["serverAddress"] == "" || trigger.Metadata["threshold"] == "" {
			t.Errorf("a trigger asks nothing: %+v", trigger)
		}
	}
}

// The alerts are those of deploy/prometheus, every one; and what Prometheus
// writes in braces is not Helm's.
func TestAlertsCome(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := render(t, variants["everything"])
	want := strings.Count(string(text), "- alert: ")
	if got := r.rule.Spec.Groups[0].Rules; len(got) != want || want < 15 {
		t.Errorf("%d alerts, not %d", len(got), want)
	}
	braces := 0
	for _, a := range r.rule.Spec.Groups[0].Rules {
		braces += strings.Count(a.Annotations["summary"], "{{ $labels.")
	}
	if braces == 0 {
		t.Error("what Prometheus fills in is lost")
	}
	if r.monitor.Spec.PodMetricsEndpoints[0].Path != "/metrics" || !strings.Contains(render(t, "").notes, "/busu doctor") {
		t.Error("metrics are not scraped at /metrics, or the notes say nothing")
	}
}
