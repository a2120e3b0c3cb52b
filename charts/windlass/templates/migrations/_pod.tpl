{{- define "windlass.migratePod" -}}
{{- $scope := dict "root" . "component" "migrate" "settings" .Values.migrations -}}
metadata:
  labels:
    {{- include "windlass.selectorLabels" $scope | nindent 4 }}
    {{- with .Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  restartPolicy: OnFailure
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- include "windlass.imagePullSecrets" . | nindent 2 }}
  {{- include "windlass.placement" $scope | nindent 2 }}
  containers:
    - {{- include "windlass.container" (dict "root" . "role" "migrate") | nindent 6 }}
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
