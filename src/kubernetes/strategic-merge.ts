// Lays one partial pod over another, as Kubernetes' strategic merge patch does:
//   maps merge key by key; any value of the patch wins, false, 0 and "" included; null removes the key;
//   lists of objects that Kubernetes identifies by a key merge by that key, and keep the base's order, new ones last;
//   every other list (command, args, tolerations, envFrom, affinity terms …) is replaced as a whole;
//   an environment variable is replaced as a whole (value and valueFrom exclude each other), and so is a volume or resource
//   claim whose kind of source changes; `{"name": "x", "$patch": "delete"}` removes an element, `"$patch": "replace"`
//   replaces it.
// It differs in one thing: elements that a layer has under one key, as ports of two protocols, stay as many as there are.
// sdk/pod-override.ts merges layers of one file so that it comes to the same.

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
/** Lists that may have several elements of one key, and the field that tells these apart. */
const SEVERAL: Record<string, { field: string; absent: string | null }> = {
  "spec.hostAliases": { field: "ip", absent: null },
  "spec.topologySpreadConstraints": { field: "whenUnsatisfiable", absent: null },
};
const SEVERAL_PORTS = { field: "protocol", absent: "TCP" };
const REPLACED_WHOLE = /^spec\.(?:containers|initContainers|ephemeralContainers)\.env$/;

export function mergePods(base: JsonObject, patch: JsonObject): JsonObject {
  return mergeObjects(base, patch, "");
}

function mergeObjects(base: JsonObject, patch: JsonObject, path: string): JsonObject {
  const { $patch: directive, ...fields } = patch;
  // What replaces may hold directives, too.
  if (directive === "replace") return mergeObjects({}, fields, path);
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
  let merged: Json[] = [...base];
  /** By this layer. */
  const placed = new Set<Json>();
  for (const [index, element] of patch.entries()) {
    const id = isJsonObject(element) ? element[key] : undefined;
    if (!isJsonObject(element) || id === undefined || id === null) {
      const where = `${path}[${index}]`;
      throw failure("invalid_configuration", `${where} needs a "${key}", by which it is merged`, {
        errors: [{ path: where, message: `needs a "${key}"` }],
      });
    }
    const { $patch: directive, ...fields } = element;
    if (directive === "delete") {
      merged = merged.filter((each) => !isJsonObject(each) || each[key] !== id);
      continue;
    }
    const old = findElement(merged, element, key, path, placed);
    const isWhole =
      old === null || directive === "replace" || REPLACED_WHOLE.test(path) || changesSource(path, old, fields);
    const made = mergeObjects(isWhole ? {} : old, fields, path);
    placed.add(made);
    merged = old === null ? [...merged, made] : merged.map((each) => (each === old ? made : each));
  }
  return merged;
}

/** Null: there is none yet. */
function findElement(list: Json[], element: JsonObject, key: string, path: string, placed: Set<Json>) {
  const same = list.filter(isJsonObject).filter((each) => each[key] === element[key]);
  const several = path.endsWith(".ports") ? SEVERAL_PORTS : SEVERAL[path];
  if (several === undefined) return same[0] ?? null;
  const kindOf = (each: JsonObject) => each[several.field] ?? several.absent;
  const free = same.filter((each) => !placed.has(each));
  return free.find((each) => kindOf(each) === kindOf(element)) ?? free[0] ?? null;
}

/** A volume has one source: emptyDir, secret … */
function changesSource(path: string, old: JsonObject, patch: JsonObject): boolean {
  if (path !== "spec.volumes" && path !== "spec.resourceClaims") return false;
  return Object.keys(patch).some((key) => key !== "name" && patch[key] !== null && !(key in old));
}

function mergeKey(path: string): string | null {
  const inContainer = CONTAINER_PATH.exec(path)?.[1];
  if (inContainer !== undefined) return CONTAINER_MERGE_KEYS[inContainer] ?? null;
  return MERGE_KEYS[path] ?? null;
}
