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
{{- $selector := dict "labelSelector" (dict "matchLabels" (include "windlass.selectorLabels" . | fromYaml)) }}
{{- $byHost := dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway" }}
topologySpreadConstraints:
  {{- range $s.topologySpreadConstraints | default (list $byHost) }}
  - {{ toYaml (merge (dict) . $selector) | indent 4 | trim }}
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
  {{- include "windlass.podLabels" . | nindent 2 }}
  {{- with .settings.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $annotations := merge (dict) .settings.podAnnotations .root.Values.commonAnnotations }}
{{- range $name, $sum := .checksums }}{{ if $sum }}{{ $_ := set $annotations (printf "checksum/%s" $name) $sum }}{{ end }}{{ end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Without versions: a new chart replaces pods only where it changes them. */}}
{{- define "windlass.podLabels" -}}
{{ include "windlass.selectorLabels" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
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

{{- /* A container of the chart's image. Takes root and role; optionally args. */}}
{{- define "windlass.container" -}}
name: {{ .role }}
image: {{ include "windlass.image" (dict "root" .root "image" (dict)) }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: {{ .args | default (list .role) | toJson }}
securityContext:
  {{- toYaml .root.Values.containerSecurityContext | nindent 2 }}
{{- with .root.Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
