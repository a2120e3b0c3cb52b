{{- /* The start of a pod spec that scheduler and API share. Takes root, component and settings (the component's values). */}}
{{- define "windlass.podSpec" -}}
{{- $s := .settings -}}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $s.terminationGracePeriodSeconds }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- include "windlass.imagePullSecrets" .root }}
{{- with $s.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- include "windlass.placement" . }}
topologySpreadConstraints:
  {{- if $s.topologySpreadConstraints }}
  {{- toYaml $s.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "windlass.selectorLabels" . | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "windlass.placement" -}}
{{- with .settings.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The pod template's metadata. Takes root, component, settings, and checksums by name. */}}
{{- define "windlass.podMetadata" -}}
labels:
  {{- include "windlass.labels" . | nindent 2 }}
  {{- with .settings.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  {{- range $name, $sum := .checksums }}
  checksum/{{ $name }}: {{ $sum }}
  {{- end }}
  {{- with merge (dict) .settings.podAnnotations .root.Values.commonAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* Probes of one port: /livez asks nobody, /readyz asks the database. Takes port and probes. */}}
{{- define "windlass.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: {{ .port }}}
  {{- toYaml .probes.startup | nindent 2 }}
livenessProbe:
  httpGet: {path: /livez, port: {{ .port }}}
  {{- toYaml .probes.liveness | nindent 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: {{ .port }}}
  {{- toYaml .probes.readiness | nindent 2 }}
{{- end }}

{{- /* A container of the chart's image. Takes root and role. */}}
{{- define "windlass.container" -}}
name: {{ .role }}
image: {{ include "windlass.image" (dict "root" .root "image" (dict)) }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: [{{ .role }}]
securityContext:
  {{- toYaml .root.Values.containerSecurityContext | nindent 2 }}
{{- with .root.Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
