package deploy_test

import (
	"bufio"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

const chartDir = "helm/busu"

// values are the chart's, with what has to be given.
func values(t *testing.T, more string) map[string]any {
	t.Helper()
	v := map[string]any{}
	const least = "secret: {existing: stores}\n"
	if more == "" || !strings.Contains(more, "secret:") {
		more = least + more
	}
	if err := strict.UnmarshalStrict([]byte(more), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// variants are values that together render every line of the chart.
var variants = map[string]string{
	"least": "",
	"own secret and configuration": `
secret: {values: {DATABASE_URL: "postgres://b:b@pg/b", REDIS_URL: "redis://r:6379", BUSU_ADMIN_KEY: sixteen-letters-long, OPENAI_API_KEY: k}}
config: {streams: {partitions: 4}, journal: {max_bytes: 1GiB}}
env: [{name: BUSU_LOG_LEVEL, value: debug}]
image: {digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000", pullSecrets: [registry]}
`,
	"everything": `
api:
  autoscaling: {enabled: true}
  ingress: {enabled: true, host: busu.example.com, className: nginx, tlsSecret: tls, annotations: {a: b}}
  service: {annotations: {a: b}}
  journal: {storageClass: fast}
worker: {keda: {enabled: true, prometheus: "http://prometheus.monitoring:9090", minReplicas: 2}}
adopt: {claims: [journal-busu-api-3, journal-busu-api-4]}
networkPolicy:
  postgres: {to: [{ipBlock: {cidr: 10.0.0.0/8}}]}
  providers: {ports: [443, 8000]}
  egress: [{ports: [{protocol: TCP, port: 4318}]}]
monitoring: {podMonitor: {enabled: true, labels: {release: p}}, prometheusRule: {enabled: true, labels: {release: p}}, dashboard: {enabled: true}}
serviceAccount: {annotations: {a: b}}
podAnnotations: {a: b}
podLabels: {team: search}
nodeSelector: {disk: ssd}
tolerations: [{key: a, operator: Exists}]
affinity: {podAntiAffinity: {}}
`,
	"tls": `
tls: {secretName: certificate, minVersion: "1.3"}
config: {streams: {partitions: 4}}
monitoring: {podMonitor: {enabled: true}}
`,
	"tls with certificates of clients": `
tls: {secretName: certificate, clientCA: true}
api: {ingress: {enabled: true, host: busu.example.com}}
monitoring: {podMonitor: {enabled: true}}
`,
	"nothing optional": `
migrate: {enabled: false}
networkPolicy: {enabled: false}
podDisruptionBudget: {enabled: false}
serviceAccount: {create: false}
fullnameOverride: gate
config: {}
`,
}

// rendered are the manifests of a release, decoded: an unknown field, or one
// of the wrong type, fails.
type rendered struct {
	api        *appsv1.StatefulSet
	worker     *appsv1.Deployment
	aggregator *appsv1.Deployment
	jobs       []*batchv1.Job
	secrets    []*corev1.Secret
	configs    []*corev1.ConfigMap
	policies   []*networkingv1.NetworkPolicy
	budgets    []*policyv1.PodDisruptionBudget
	hpa        *autoscalingv2.HorizontalPodAutoscaler
	ingress    *networkingv1.Ingress
	services   []*corev1.Service
	scaled     *scaledObject
	rule       *prometheusRule
	monitor    *podMonitor
	kinds      []string
	notes      string
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// manifests renders the chart as helm does for an installation.
func manifests(t *testing.T, v map[string]any) (map[string]string, error) {
	t.Helper()
	c := load(t)
	caps := chartutil.DefaultCapabilities.Copy()
	caps.KubeVersion = chartutil.KubeVersion{Version: "v1.34.0", Major: "1", Minor: "34"}
	all, err := chartutil.ToRenderValues(c, v, chartutil.ReleaseOptions{Name: "busu", Namespace: "llm", Revision: 1, IsInstall: true}, caps)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

func render(t *testing.T, more string) *rendered {
	t.Helper()
	texts, err := manifests(t, values(t, more))
	if err != nil {
		t.Fatal(err)
	}
	r := &rendered{}
	for name, text := range texts {
		if strings.HasSuffix(name, "NOTES.txt") {
			r.notes = text
			continue
		}
		documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
		for {
			document, err := documents.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			r.add(t, name, document)
		}
	}
	return r
}

// add decodes one manifest into what its kind is.
func (r *rendered) add(t *testing.T, name string, document []byte) {
	t.Helper()
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct{ Name string }
	}
	if err := strict.Unmarshal(document, &head); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, document)
	}
	if head.Kind == "" {
		if strings.TrimSpace(comments.ReplaceAllString(string(document), "")) != "" {
			t.Fatalf("%s: no kind:\n%s", name, document)
		}
		return
	}
	r.kinds = append(r.kinds, head.Kind)
	var into any
	switch head.APIVersion + " " + head.Kind {
	case "apps/v1 StatefulSet":
		r.api = &appsv1.StatefulSet{}
		into = r.api
	case "apps/v1 Deployment":
		d := &appsv1.Deployment{}
		if strings.HasSuffix(head.Metadata.Name, "-worker") {
			r.worker = d
		} else {
			r.aggregator = d
		}
		into = d
	case "batch/v1 Job":
		into = push(&r.jobs)
	case "v1 Secret":
		into = push(&r.secrets)
	case "v1 ConfigMap":
		into = push(&r.configs)
	case "v1 Service":
		into = push(&r.services)
	case "v1 ServiceAccount":
		into = &corev1.ServiceAccount{}
	case "networking.k8s.io/v1 NetworkPolicy":
		into = push(&r.policies)
	case "networking.k8s.io/v1 Ingress":
		r.ingress = &networkingv1.Ingress{}
		into = r.ingress
	case "policy/v1 PodDisruptionBudget":
		into = push(&r.budgets)
	case "autoscaling/v2 HorizontalPodAutoscaler":
		r.hpa = &autoscalingv2.HorizontalPodAutoscaler{}
		into = r.hpa
	case "keda.sh/v1alpha1 ScaledObject":
		r.scaled = &scaledObject{}
		into = r.scaled
	case "monitoring.coreos.com/v1 PrometheusRule":
		r.rule = &prometheusRule{}
		into = r.rule
	case "monitoring.coreos.com/v1 PodMonitor":
		r.monitor = &podMonitor{}
		into = r.monitor
	default:
		t.Fatalf("%s: %s %s is not known here", name, head.APIVersion, head.Kind)
	}
	if err := strict.UnmarshalStrict(document, into); err != nil {
		t.Errorf("%s: %s %s: %v\n%s", name, head.Kind, head.Metadata.Name, err, document)
	}
}

func push[T any](list *[]*T) *T {
	one := new(T)
	*list = append(*list, one)
	return one
}

// pod is one pod template, of whom it is.
type pod struct {
	of   string
	job  bool
	meta map[string]string // labels
	spec corev1.PodSpec
}

func (r *rendered) pods() []pod {
	all := []pod{
		{"api", false, r.api.Spec.Template.Labels, r.api.Spec.Template.Spec},
		{"worker", false, r.worker.Spec.Template.Labels, r.worker.Spec.Template.Spec},
		{"aggregator", false, r.aggregator.Spec.Template.Labels, r.aggregator.Spec.Template.Spec},
	}
	for _, j := range r.jobs {
		all = append(all, pod{j.Name, true, j.Spec.Template.Labels, j.Spec.Template.Spec})
	}
	return all
}

// each renders every variant.
func each(t *testing.T, hold func(t *testing.T, r *rendered)) {
	t.Helper()
	for name, more := range variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hold(t, render(t, more))
		})
	}
}

// Helm's own linter has nothing to say.
func TestChartLints(t *testing.T) {
	t.Parallel()
	for name, more := range variants {
		for _, m := range lint.All(chartDir, values(t, more), "llm", true).Messages {
			if m.Severity > 1 || !strings.Contains(m.Error(), "icon is recommended") {
				t.Errorf("%s: %s", name, m)
			}
		}
	}
}

// Every kind is rendered by some variant, and each name once in it.
func TestVariantsRenderEverything(t *testing.T) {
	t.Parallel()
	var kinds []string
	for _, more := range variants {
		kinds = append(kinds, render(t, more).kinds...)
	}
	for _, kind := range []string{"StatefulSet", "Deployment", "Job", "Secret", "ConfigMap", "Service", "ServiceAccount", "NetworkPolicy",
		"Ingress", "PodDisruptionBudget", "HorizontalPodAutoscaler", "ScaledObject", "PrometheusRule", "PodMonitor"} {
		if !slices.Contains(kinds, kind) {
			t.Errorf("no variant renders a %s", kind)
		}
	}
}

// Values that are misspelt, of the wrong type or missing are refused, with what
// is wrong.
func TestWrongValuesAreRefused(t *testing.T) {
	t.Parallel()
	for more, says := range map[string]string{
		"secret: {existing: ''}":                        "secret.existing or secret.values is needed",
		"replicas: 3":                                   "replicas",
		"api: {replica: 3}":                             "replica",
		"api: {replicas: many}":                         "replicas",
		"api: {drainSeconds: -1}":                       "drainSeconds",
		"image: {digest: latest}":                       "digest",
		"image: {pullPolicy: Sometimes}":                "pullPolicy",
		"worker: {keda: {enabled: true}}":               "worker.keda.prometheus",
		"api: {ingress: {enabled: true}}":               "api.ingress.host",
		"secret: {values: {database-url: x}}":           "database-url",
		"secret: {values: {REDIS_URL: 5}}":              "REDIS_URL",
		"networkPolicy: {postgres: {port: http}}":       "port",
		"adopt: {claims: journal-busu-api-3}":           "claims",
		"tls: {clientCA: true}":                         "tls.secretName is needed",
		"tls: {minVersion: '1.2'}":                      "tls.secretName is needed",
		"tls: {secretName: c, minVersion: '1.1'}":       "minVersion",
		"tls: {secretName: c, minVersion: 1.3}":         "minVersion",
		"tls: {secret: c}":                              "secret",
		"worker: {resources: {limits: {cpu: 1}}}\nx: 1": "x",
	} {
		if _, err := manifests(t, values(t, more)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v does not say %q", more, err, says)
		}
	}
}

// The schema knows every value that there is, so that none is refused by
// oversight, and the values are documented by being there.
func TestSchemaKnowsTheValues(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(chartDir + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := strict.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	defs, _ := schema["$defs"].(map[string]any)
	compare(t, "values", schema, defs, load(t).Values)
}

// compare holds the properties of closed objects against the values.
func compare(t *testing.T, path string, schema, defs map[string]any, v any) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema, _ = defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s takes what nobody knows", path)
	}
	object, _ := v.(map[string]any)
	for name, sub := range properties {
		if _, there := object[name]; !there {
			t.Errorf("%s.%s is in the schema and not in values.yaml", path, name)
			continue
		}
		compare(t, path+"."+name, sub.(map[string]any), defs, object[name])
	}
	for name := range object {
		if properties[name] == nil {
			t.Errorf("%s.%s is in values.yaml and not in the schema", path, name)
		}
	}
}
