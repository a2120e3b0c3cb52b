{{- /* The file of WINDLASS_CLUSTERS; empty without other clusters. */}}
{{- define "windlass.clusters" -}}
{{- $file := dict -}}
{{- range $name, $cluster := .Values.clusters -}}
{{- $kubeconfig := printf "%s/%s" (include "windlass.clusterFolder" $name) ($cluster.secretKey | default "kubeconfig") -}}
{{- $_ := set $file $name (merge (dict "kubeconfig" $kubeconfig) (pick $cluster "context" "namespaces" "apiUrl" "parallelism")) -}}
{{- end -}}
{{- if $file }}{{ toYaml $file }}{{ end -}}
{{- end }}

{{- /* Not below /etc/windlass, which is a read-only volume. */}}
{{- define "windlass.clusterFolder" -}}
/etc/windlass-clusters/{{ . }}
{{- end }}

{{- /* Whole Secrets, so that a kubeconfig may name files beside it, and changes reach the scheduler. */}}
{{- define "windlass.clusterMounts" -}}
{{- range $name := keys .Values.clusters | sortAlpha }}
- {name: {{ printf "cluster-%s" $name }}, mountPath: {{ include "windlass.clusterFolder" $name }}, readOnly: true}
{{- end }}
{{- end }}

{{- /* Optional: a cluster's missing Secret is no reason for the scheduler not to start. */}}
{{- define "windlass.clusterVolumes" -}}
{{- range $name := keys .Values.clusters | sortAlpha }}
- name: {{ printf "cluster-%s" $name }}
  secret:
    secretName: {{ (get $.Values.clusters $name).existingSecret }}
    defaultMode: 0440
    optional: true
{{- end }}
{{- end }}
