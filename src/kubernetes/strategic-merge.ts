// Lays one partial pod over another, as Kubernetes' strategic merge patch does:
//   maps merge key by key; any value of the patch wins, false, 0 and "" included; null removes the key;
//   lists of objects that Kubernetes identifies by a key merge by that key, and keep the base's order, new ones last;
//   every other list (command, args, tolerations, envFrom, affinity terms …) is replaced as a whole;
//   an environment variable is replaced as a whole (value and valueFrom exclude each other), and so is a volume whose
//   kind of source changes; `{"name": "x", "$patch": "delete"}` removes an element, `"$patch": "replace"` replaces it.

import { failure } from "../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";

/** By the field's path without indices. */
const MERGE_KEYS: Record<string, string> = {
  "metadata.ownerReferences": "uid",
  "spec.containers": "name",
  "spec.initContainers": "name",
  "spec.ephemeralContainers": "name",
  "spec.volumes": "name",
  "spec.imagePullSecrets": "name",
  "spec.hostAliases": "ip",
  "spec.topologySpreadConstraints": "topologyKey",
  "spec.schedulingGates": "name",
  "spec.resourceClaims": "name",
};
const CONTAINER_MERGE_KEYS: Record<string, string> = {
  env: "name",
  ports: "containerPort",
  volumeMounts: "mountPath",
  volumeDevices: "devicePath",
  "resources.claims": "name",
};
const CONTAINER_PATH = /^spec\.(?:containers|initContainers|ephemeralContainers)\.(.+)$/;
const REPLACED_WHOLE = /^spec\.(?:containers|initContainers|ephemeralContainers)\.env$/;

export function mergePods(base: JsonObject, patch: JsonObject): JsonObject {
  return mergeObjects(base, patch, "");
}

function mergeObjects(base: JsonObject, patch: JsonObject, path: string): JsonObject {
  const { $patch: directive, ...fields } = patch;
  if (directive === "replace") return withoutNulls(fields);
  const merged: JsonObject = { ...base };
  for (const [key, value] of Object.entries(fields)) {
    if (value === null) delete merged[key];
    else merged[key] = mergeValues(merged[key], value, path === "" ? key : `${path}.${key}`);
  }
  return merged;
}

function mergeValues(base: Json | undefined, patch: Json, path: string): Json {
  if (Array.isArray(patch)) {
    const key = mergeKey(path);
    if (key === null) return patch;
    return mergeLists(Array.isArray(base) ? base : [], patch, key, path);
  }
  if (!isJsonObject(patch)) return patch;
  return mergeObjects(isJsonObject(base) ? base : {}, patch, path);
}

function mergeLists(base: Json[], patch: Json[], key: string, path: string): Json[] {
  const merged: Json[] = [...base];
  for (const [index, element] of patch.entries()) {
    const id = isJsonObject(element) ? element[key] : undefined;
    if (!isJsonObject(element) || id === undefined || id === null) {
      const where = `${path}[${index}]`;
      throw failure("invalid_configuration", `${where} needs a "${key}", by which it is merged`, {
        errors: [{ path: where, message: `needs a "${key}"` }],
      });
    }
    const at = merged.findIndex((each) => isJsonObject(each) && each[key] === id);
    const { $patch: directive, ...fields } = element;
    const old = merged[at];
    if (directive === "delete") {
      if (at !== -1) merged.splice(at, 1);
    } else if (!isJsonObject(old)) {
      merged.push(mergeObjects({}, fields, path));
    } else if (directive === "replace" || REPLACED_WHOLE.test(path) || changesSource(path, old, fields)) {
      merged[at] = withoutNulls(fields);
    } else {
      merged[at] = mergeObjects(old, fields, path);
    }
  }
  return merged;
}

/** A volume has one source: emptyDir, secret … */
function changesSource(path: string, old: JsonObject, patch: JsonObject): boolean {
  if (path !== "spec.volumes") return false;
  return Object.keys(patch).some((key) => key !== "name" && patch[key] !== null && !(key in old));
}

function mergeKey(path: string): string | null {
  const inContainer = CONTAINER_PATH.exec(path)?.[1];
  if (inContainer !== undefined) return CONTAINER_MERGE_KEYS[inContainer] ?? null;
  return MERGE_KEYS[path] ?? null;
}

function withoutNulls(fields: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
