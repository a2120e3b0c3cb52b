{{- define "windlass.databaseSecret" -}}
{{- if .Values.database.existingSecret -}}
{{- .Values.database.existingSecret -}}
{{- else -}}
{{- printf "%s-postgresql" (include "windlass.fullname" .) -}}
{{- end -}}
{{- end }}

{{- define "windlass.databaseKey" -}}
{{- if .Values.database.existingSecret }}{{ .Values.database.secretKey }}{{ else }}url{{ end -}}
{{- end }}

{{- /* Empty: the API makes the password itself. */}}
{{- define "windlass.adminSecret" -}}
{{- if .Values.auth.existingSecret -}}
{{- .Values.auth.existingSecret -}}
{{- else if .Values.auth.generatePassword -}}
{{- printf "%s-admin" (include "windlass.fullname" .) -}}
{{- end -}}
{{- end }}

{{- define "windlass.adminKey" -}}
{{- if .Values.auth.existingSecret }}{{ .Values.auth.secretKey }}{{ else }}password{{ end -}}
{{- end }}

{{- /* Empty: variables and connections cannot be stored. */}}
{{- define "windlass.encryptionSecret" -}}
{{- if .Values.encryption.existingSecret -}}
{{- .Values.encryption.existingSecret -}}
{{- else if .Values.encryption.generateKey -}}
{{- printf "%s-encryption" (include "windlass.fullname" .) -}}
{{- end -}}
{{- end }}

{{- define "windlass.encryptionKey" -}}
{{- if .Values.encryption.existingSecret }}{{ .Values.encryption.secretKey }}{{ else }}keys{{ end -}}
{{- end }}

{{- /* For scheduler and api: to open what author code declares to read. Takes the root. */}}
{{- define "windlass.encryptionEnvironment" -}}
{{- with include "windlass.encryptionSecret" . -}}
- name: WINDLASS_ENCRYPTION_KEYS
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ include "windlass.encryptionKey" $ }}
{{- end }}
{{- end }}

{{- define "windlass.encryptionChecksum" -}}
{{- include "windlass.secretChecksum" (dict "root" . "name" .Values.encryption.existingSecret "key" .Values.encryption.secretKey) -}}
{{- end }}

{{- /* What every role is told. */}}
{{- define "windlass.environment" -}}
- name: WINDLASS_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "windlass.databaseSecret" . }}
      key: {{ include "windlass.databaseKey" . }}
- name: WINDLASS_LOG_LEVEL
  value: {{ .Values.logLevel }}
{{- if ne .Values.storage.url "postgres" }}
- name: WINDLASS_STORAGE
  value: {{ .Values.storage.url | quote }}
{{- end }}
{{- with .Values.storage.existingSecret }}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.storage.existingSecret }}, key: {{ . }}}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.config }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* A digest of what an existing Secret holds now, so that the next upgrade replaces pods when it has changed. Nothing where
it cannot be read, and for the chart's own Secrets, which never change. Takes root, name and key. */}}
{{- define "windlass.secretChecksum" -}}
{{- if .name -}}
{{- $secret := lookup "v1" "Secret" .root.Release.Namespace .name -}}
{{- with $secret.data }}{{ get . $.key | default "" | sha256sum }}{{ end -}}
{{- end -}}
{{- end }}

{{- /* The random value under `key` of a Secret that the chart keeps: made once, then read back. Takes root, name, key; with
bytes, base64 of so many. */}}
{{- define "windlass.keptPassword" -}}
{{- $secret := lookup "v1" "Secret" .root.Release.Namespace .name -}}
{{- $kept := get ($secret.data | default dict) .key -}}
{{- if $kept }}{{ $kept | b64dec }}{{ else if .bytes }}{{ randBytes (int .bytes) }}{{ else }}{{ randAlphaNum 24 }}{{ end -}}
{{- end }}

{{- /* True where a cluster answers: without one, only groups and versions are known, no kinds. */}}
{{- define "windlass.hasCluster" -}}
{{- if .Capabilities.APIVersions.Has "v1/Secret" }}true{{ end -}}
{{- end }}

{{- /* The volume of file:///path, in scheduler and api. */}}
{{- define "windlass.storageMount" -}}
{{- if .Values.storage.existingClaim -}}
- {name: storage, mountPath: {{ trimPrefix "file://" .Values.storage.url | quote }}}
{{- end }}
{{- end }}

{{- define "windlass.storageVolume" -}}
{{- with .Values.storage.existingClaim -}}
- name: storage
  persistentVolumeClaim: {claimName: {{ . }}}
{{- end }}
{{- end }}
