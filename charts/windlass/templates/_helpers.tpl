{{- define "windlass.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- /* 45 characters leave room for the suffixes of every object. */}}
{{- define "windlass.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else if contains (include "windlass.name" .) .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "windlass.name" .) | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- /* What a selector may hold: never changes over releases. Takes (dict "root" $ "component" name). */}}
{{- define "windlass.selectorLabels" -}}
app.kubernetes.io/name: {{ include "windlass.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "windlass.labels" -}}
{{ include "windlass.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: windlass
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* The metadata of an object. Takes root, component, name; optionally namespace, annotations, labels. */}}
{{- define "windlass.metadata" -}}
name: {{ .name }}
namespace: {{ .namespace | default .root.Release.Namespace }}
labels:
  {{- include "windlass.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Takes root and image, whose empty fields are those of the chart's image. */}}
{{- define "windlass.image" -}}
{{- $own := .image -}}
{{- $repository := $own.repository | default .root.Values.image.repository -}}
{{- with .root.Values.global.imageRegistry }}{{ $repository = printf "%s/%s" (trimSuffix "/" .) $repository }}{{ end -}}
{{- $digest := $own.digest -}}
{{- if and (not $own.digest) (not $own.tag) (not $own.repository) }}{{ $digest = .root.Values.image.digest }}{{ end -}}
{{- if $digest -}}
{{- printf "%s@%s" $repository $digest -}}
{{- else -}}
{{- $tag := $own.tag | default .root.Values.image.tag | default .root.Chart.AppVersion -}}
{{- /* A file's number is a float64, which 20260101 would be printed as 2.0260101e+07 of. */}}
{{- if kindIs "float64" $tag }}{{ $tag = int64 $tag }}{{ end -}}
{{- printf "%s:%v" $repository $tag -}}
{{- end -}}
{{- end }}

{{- define "windlass.imagePullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "windlass.serviceAccountName" -}}
{{- if .Values.scheduler.serviceAccount.create -}}
{{- default (printf "%s-scheduler" (include "windlass.fullname" .)) .Values.scheduler.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.scheduler.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "windlass.workerNamespaces" -}}
{{- .Values.workers.namespaces | default (list .Release.Namespace) | join "," -}}
{{- end }}

{{- define "windlass.workerUrl" -}}
{{- .Values.api.workerUrl | default (printf "http://%s-api.%s.svc:%v" (include "windlass.fullname" .) .Release.Namespace .Values.api.service.port) -}}
{{- end }}

{{- /* The installation's pod template, with the pull secrets of every pod. */}}
{{- define "windlass.podTemplate" -}}
{{- $template := deepCopy .Values.workers.podTemplate -}}
{{- $secrets := list -}}
{{- range .Values.global.imagePullSecrets }}{{ $secrets = append $secrets (dict "name" .) }}{{ end -}}
{{- if $secrets }}{{ $template = mergeOverwrite (dict "spec" (dict "imagePullSecrets" $secrets)) $template }}{{ end -}}
{{- if $template }}{{ toYaml $template }}{{ end -}}
{{- end }}

{{- define "windlass.migrationsMode" -}}
{{- if and (eq .Values.migrations.mode "hook") .Values.postgresql.enabled -}}job{{- else -}}{{ .Values.migrations.mode }}{{- end -}}
{{- end }}
