{{- /* What a schema cannot say; each message names the value and what to do. */}}
{{- define "windlass.validate" -}}
{{- $v := .Values -}}
{{- $faults := list -}}
{{- if and (not $v.database.existingSecret) (not $v.postgresql.enabled) -}}
  {{- $faults = append $faults "database.existingSecret is empty: name a Secret in this namespace whose key `url` holds the database's URL, or set postgresql.enabled=true to try Windlass out" -}}
{{- end -}}
{{- if and $v.database.existingSecret $v.postgresql.enabled -}}
  {{- $faults = append $faults "database.existingSecret and postgresql.enabled exclude each other: keep one of them" -}}
{{- end -}}
{{- if and $v.auth.generatePassword (not $v.auth.existingSecret) (not (include "windlass.hasCluster" .)) -}}
  {{- $faults = append $faults "auth.generatePassword needs a cluster to read the password back from: set auth.existingSecret, or auth.generatePassword=false, with which the API prints one in its first log" -}}
{{- end -}}
{{- if and $v.encryption.generateKey (not $v.encryption.existingSecret) (not (include "windlass.hasCluster" .)) -}}
  {{- $faults = append $faults "encryption.generateKey needs a cluster to read the key back from: set encryption.existingSecret" -}}
{{- end -}}
{{- if and (hasPrefix "file:" $v.storage.url) (not $v.storage.existingClaim) -}}
  {{- $faults = append $faults "storage.url names a folder: set storage.existingClaim to the claim that scheduler and api share there" -}}
{{- end -}}
{{- if and $v.storage.existingClaim (not (hasPrefix "file:" $v.storage.url)) -}}
  {{- $faults = append $faults "storage.existingClaim is for storage.url=file:///path: set that, or leave the claim out" -}}
{{- end -}}
{{- if and $v.storage.existingSecret (not (hasPrefix "s3:" $v.storage.url)) -}}
  {{- $faults = append $faults "storage.existingSecret is for storage.url=s3://...: set that, or leave the Secret out" -}}
{{- end -}}
{{- if and $v.postgresql.enabled (not (include "windlass.hasCluster" .)) -}}
  {{- $faults = append $faults "postgresql.enabled makes a password that has to be read back from the cluster: use database.existingSecret where charts are rendered without one" -}}
{{- end -}}
{{- if and (eq $v.dags.source "emptyDir") (gt (int $v.scheduler.replicas) 1) -}}
  {{- $faults = append $faults "dags.source=emptyDir gives each scheduler a folder of its own: set scheduler.replicas=1, or deliver DAGs by pvc, image, configMap or gitSync" -}}
{{- end -}}
{{- if and (eq $v.dags.source "pvc") (not $v.dags.pvc.existingClaim) -}}
  {{- $faults = append $faults "dags.source=pvc needs dags.pvc.existingClaim" -}}
{{- end -}}
{{- if and (eq $v.dags.source "configMap") (not $v.dags.configMap.name) -}}
  {{- $faults = append $faults "dags.source=configMap needs dags.configMap.name" -}}
{{- end -}}
{{- if and (eq $v.dags.source "gitSync") (not $v.dags.gitSync.repo) -}}
  {{- $faults = append $faults "dags.source=gitSync needs dags.gitSync.repo" -}}
{{- end -}}
{{- if and $v.dags.gitSync.https.existingSecret $v.dags.gitSync.ssh.existingSecret -}}
  {{- $faults = append $faults "dags.gitSync.https.existingSecret and dags.gitSync.ssh.existingSecret exclude each other: keep one of them" -}}
{{- end -}}
{{- if and $v.api.ingress.enabled (not $v.api.ingress.hosts) -}}
  {{- $faults = append $faults "api.ingress.enabled needs api.ingress.hosts" -}}
{{- end -}}
{{- if and $v.api.httpRoute.enabled (not $v.api.httpRoute.parentRefs) -}}
  {{- $faults = append $faults "api.httpRoute.enabled needs api.httpRoute.parentRefs" -}}
{{- end -}}
{{- if $faults }}{{ fail (printf "\n  - %s" (join "\n  - " $faults)) }}{{ end -}}
{{- end }}
