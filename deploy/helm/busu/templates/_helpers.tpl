{{- define "busu.name" -}}{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}{{- end }}

{{- define "busu.fullname" -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "busu.name" .) .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name (include "busu.name" .) | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{/* The API's name in the cluster. */}}
{{- define "busu.host" -}}{{ include "busu.fullname" . }}-api.{{ .Release.Namespace }}.svc{{- end }}

{{- define "busu.selector" -}}
app.kubernetes.io/name: {{ include "busu.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "busu.labels" -}}
{{ include "busu.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "busu.image" -}}
{{- if .Values.image.digest -}}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}{{ .Values.image.repository }}:{{ default (printf "v%s" .Chart.AppVersion) .Values.image.tag }}
{{- end -}}
{{- end }}

{{- define "busu.secret" -}}
{{- if .Values.secret.existing -}}{{ .Values.secret.existing }}
{{- else if .Values.secret.values -}}{{ include "busu.fullname" . }}
{{- else -}}{{ fail "secret.existing or secret.values is needed: DATABASE_URL, REDIS_URL and BUSU_ADMIN_KEY (docs/deploying.md)" }}
{{- end -}}
{{- end }}

{{- define "busu.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}{{ default (include "busu.fullname" .) .Values.serviceAccount.name }}
{{- else -}}{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{/* The pod's part of the security context. */}}
{{- define "busu.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "busu.containerSecurity" -}}
runAsNonRoot: true
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
privileged: false
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* A pod's metadata: of (root, component). A change of configuration or secrets is a new pod. */}}
{{- define "busu.podMeta" -}}
{{- $root := index . 0 -}}
annotations:
  checksum/config: {{ toJson $root.Values.config | sha256sum }}
  checksum/secret: {{ toJson $root.Values.secret.values | sha256sum }}
  {{- with $root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
labels:
  {{- include "busu.labels" $root | nindent 2 }}
  app.kubernetes.io/component: {{ index . 1 }}
  {{- with $root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* What all pods of processes have: of (root, component). */}}
{{- define "busu.podSpec" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ include "busu.serviceAccount" $root }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "busu.podSecurity" $root | nindent 2 }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "busu.selector" $root | nindent 8 }}
        app.kubernetes.io/component: {{ index . 1 }}
{{- with $root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A container of a process, without what only one has: of (root, component, values). */}}
{{- define "busu.container" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $values := index . 2 -}}
name: {{ $component }}
image: {{ include "busu.image" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
command: [/{{ $component }}]
securityContext:
  {{- include "busu.containerSecurity" $root | nindent 2 }}
ports:
  - {name: http, containerPort: {{ $values.port }}, protocol: TCP}
envFrom:
  - secretRef: {name: {{ include "busu.secret" $root }}}
env:
  - {name: BUSU_ADDR, value: "0.0.0.0:{{ $values.port }}"}
  - {name: BUSU_STATE_DIR, value: /var/lib/busu}
  - {name: BUSU_LOG_FORMAT, value: json}
  {{- if $root.Values.config }}
  - {name: BUSU_CONFIG, value: /etc/busu/busu.yaml}
  {{- end }}
  {{- with include "busu.tlsEnv" $root | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $root.Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
resources:
  {{- toYaml $values.resources | nindent 2 }}
startupProbe:
  {{- include "busu.ask" (list $root "alive") | nindent 2 }}
  periodSeconds: 1
  timeoutSeconds: 3
  failureThreshold: 60
livenessProbe:
  {{- include "busu.ask" (list $root "alive") | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
volumeMounts:
  - {name: {{ ternary "journal" "state" (eq $component "api") }}, mountPath: /var/lib/busu}
  {{- if $root.Values.config }}
  - {name: config, mountPath: /etc/busu, readOnly: true}
  {{- end }}
  {{- if $root.Values.tls.secretName }}
  - {name: tls, mountPath: /etc/busu-tls, readOnly: true}
  {{- end }}
{{- end }}

{{/* The volumes of what is configured. */}}
{{- define "busu.volumes" -}}
{{- if .Values.config }}
- name: config
  configMap: {name: {{ include "busu.fullname" . }}}
{{- end }}
{{- with .Values.tls }}
{{- if .secretName }}
# A key that is missing in the secret keeps the pod from starting. What is renewed comes by itself.
- name: tls
  secret:
    secretName: {{ .secretName }}
    defaultMode: 0440
    items:
      - {key: tls.crt, path: tls.crt}
      - {key: tls.key, path: tls.key}
      {{- if .clientCA }}
      - {key: ca.crt, path: ca.crt}
      {{- end }}
{{- else if or .clientCA .minVersion }}
{{- fail "tls.secretName is needed: the secret with tls.crt and tls.key (docs/deploying.md)" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "busu.tlsEnv" -}}
{{- with .Values.tls }}
{{- if .secretName }}
- {name: BUSU_TLS_CERT, value: /etc/busu-tls/tls.crt}
- {name: BUSU_TLS_KEY, value: /etc/busu-tls/tls.key}
{{- if .clientCA }}
- {name: BUSU_TLS_CLIENT_CA, value: /etc/busu-tls/ca.crt}
{{- end }}
{{- with .minVersion }}
- {name: BUSU_TLS_MIN_VERSION, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* How a probe asks whether a process is alive, ready or degraded (ready, if need be without a store): of (root, what).
The kubelet shows no certificate: where one is asked for, busu asks itself, with its own. */}}
{{- define "busu.ask" -}}
{{- $tls := (index . 0).Values.tls -}}
{{- $what := index . 1 -}}
{{- if and $tls.secretName $tls.clientCA -}}
exec: {command: {{ toJson (concat (list "/busu" "health") (get (dict "alive" (list "--alive") "ready" list "degraded" (list "--degraded")) $what)) }}}
{{- else -}}
httpGet: {path: {{ get (dict "alive" "/healthz" "ready" "/readyz" "degraded" "/readyz?degraded=allowed") $what | quote }}, port: http{{ if $tls.secretName }}, scheme: HTTPS{{ end }}}
{{- end -}}
{{- end }}

{{/* A job's pod, which asks the stores and nothing else: of (root, component, resources). */}}
{{- define "busu.jobContainer" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
image: {{ include "busu.image" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
securityContext:
  {{- include "busu.containerSecurity" $root | nindent 2 }}
envFrom:
  - secretRef: {name: {{ include "busu.secret" $root }}}
env:
  - {name: BUSU_LOG_FORMAT, value: json}
  {{- with $root.Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
resources:
  {{- toYaml (index . 2) | nindent 2 }}
{{- end }}
