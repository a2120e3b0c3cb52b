{{- /* Stops with the new name of every value that has another one now. The list is renamed-values.yaml. */}}
{{- define "windlass.checkRenamed" -}}
{{- $found := list -}}
{{- range .Files.Get "renamed-values.yaml" | fromYamlArray -}}
  {{- $at := $.Values -}}
  {{- $present := true -}}
  {{- range splitList "." .from -}}
    {{- if and $present (kindIs "map" $at) (hasKey $at .) }}{{ $at = get $at . }}{{ else }}{{ $present = false }}{{ end -}}
  {{- end -}}
  {{- if $present }}{{ $found = append $found (printf "%s is called %s since %s" .from .to .since) }}{{ end -}}
{{- end -}}
{{- if $found }}{{ fail (printf "values that have another name now: %s" (join "; " $found)) }}{{ end -}}
{{- end }}
