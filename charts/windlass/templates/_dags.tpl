{{- /* Where the scheduler looks for DAG files. */}}
{{- define "windlass.dagsFolder" -}}
{{- $sub := .Values.dags.subPath -}}
{{- if eq .Values.dags.source "image" -}}
{{- .Values.dags.image.path -}}{{ with $sub }}/{{ . }}{{ end }}
{{- else if eq .Values.dags.source "gitSync" -}}
/dags/repository{{ with $sub }}/{{ . }}{{ end }}
{{- else -}}
/dags
{{- end -}}
{{- end }}

{{- define "windlass.dagsMount" -}}
{{- if ne .Values.dags.source "image" -}}
- name: dags
  mountPath: /dags
  {{- if ne .Values.dags.source "emptyDir" }}
  readOnly: true
  {{- end }}
  {{- if and (eq .Values.dags.source "pvc") .Values.dags.subPath }}
  subPath: {{ .Values.dags.subPath }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "windlass.dagsVolume" -}}
{{- $dags := .Values.dags }}
{{- if eq $dags.source "pvc" }}
- name: dags
  persistentVolumeClaim:
    claimName: {{ $dags.pvc.existingClaim }}
    readOnly: true
{{- else if eq $dags.source "configMap" }}
- name: dags
  configMap:
    name: {{ $dags.configMap.name }}
{{- else if ne $dags.source "image" }}
- name: dags
  emptyDir: {}
{{- end }}
{{- if and (eq $dags.source "gitSync") $dags.gitSync.ssh.existingSecret }}
- name: git-ssh
  secret:
    secretName: {{ $dags.gitSync.ssh.existingSecret }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{- /* The sidecar. It makes a new worktree for each commit and swaps a link to it, so that no half of a commit is seen. */}}
{{- define "windlass.gitSync" -}}
{{- $git := .Values.dags.gitSync }}
- name: git-sync
  image: {{ include "windlass.image" (dict "root" . "image" $git.image) }}
  imagePullPolicy: {{ $git.image.pullPolicy }}
  args:
    - --repo={{ $git.repo }}
    - --ref={{ $git.ref }}
    - --root=/dags
    - --link=repository
    - --depth={{ $git.depth }}
    - --period={{ $git.period }}
    - --max-failures={{ $git.maxFailures }}
    - --http-bind=:8082
    {{- if $git.ssh.existingSecret }}
    - --ssh-key-file=/etc/git-ssh/ssh-privatekey
    - --ssh-known-hosts={{ $git.ssh.verifyHost }}
    {{- if $git.ssh.verifyHost }}
    - --ssh-known-hosts-file=/etc/git-ssh/known_hosts
    {{- end }}
    {{- end }}
  env:
    - name: HOME
      value: /tmp
    {{- with $git.https.existingSecret }}
    - name: GITSYNC_USERNAME
      valueFrom:
        secretKeyRef: {name: {{ . }}, key: username}
    - name: GITSYNC_PASSWORD
      valueFrom:
        secretKeyRef: {name: {{ . }}, key: password}
    {{- end }}
    {{- with $git.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - {name: git-sync, containerPort: 8082}
  # Answers once there was a first sync.
  livenessProbe:
    httpGet: {path: /, port: git-sync}
    initialDelaySeconds: 30
    periodSeconds: 30
    timeoutSeconds: 5
    failureThreshold: 20
  securityContext:
    {{- $own := dict }}
    {{- if not (kindIs "invalid" $git.uid) }}{{ $own = dict "runAsUser" $git.uid "runAsGroup" $git.uid }}{{ end }}
    {{- toYaml (merge (dict) $own .Values.containerSecurityContext) | nindent 4 }}
  resources:
    {{- toYaml $git.resources | nindent 4 }}
  volumeMounts:
    - name: dags
      mountPath: /dags
    - name: tmp
      mountPath: /tmp
    {{- if $git.ssh.existingSecret }}
    - name: git-ssh
      mountPath: /etc/git-ssh
      readOnly: true
    {{- end }}
{{- end }}
