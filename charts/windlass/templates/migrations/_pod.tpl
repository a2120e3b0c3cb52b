{{- define "windlass.migratePod" -}}
{{- $scope := dict "root" . "component" "migrate" "settings" .Values.migrations -}}
metadata:
  labels:
    {{- include "windlass.podLabels" $scope | nindent 4 }}
spec:
  restartPolicy: OnFailure
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- include "windlass.imagePullSecrets" . | indent 2 }}
  {{- include "windlass.placement" $scope | indent 2 }}
  containers:
    - {{ include "windlass.container" (dict "root" . "role" "migrate" "args" (list "migrate" "--wait=300")) | indent 6 | trim }}
      env:
        {{- include "windlass.environment" . | nindent 8 }}
      resources:
        {{- toYaml .Values.migrations.resources | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
  volumes:
    - name: tmp
      emptyDir: {}
{{- end }}
