// A task's partial Pod, which is merged over the installation's template. Authors write Kubernetes' own fields, or
// shorthands for the main container, which is named "base"; the definition holds plain Pod JSON.

import type { Json, JsonObject } from "../core/json.ts";
import { authorError, describeValue } from "./author-error.ts";
import { compileJson } from "./compile-input.ts";
import { checkImage } from "./image.ts";
import type { ResourceRequirements } from "./pod-container-types.ts";
import type { PodSpec } from "./pod-types.ts";

export interface PodOverride {
  /** The image of the main container. */
  image?: string;
  /** Environment of the main container; for values from secrets use spec.containers. */
  env?: { [name: string]: string };
  /** Requests and limits of the main container. */
  resources?: ResourceRequirements;
  metadata?: {
    labels?: { [name: string]: string };
    annotations?: { [name: string]: string };
    namespace?: string;
  };
  /** Any field of a pod's spec; the main container is the one named "base". */
  spec?: Partial<PodSpec>;
}

export const MAIN_CONTAINER = "base";

const FIELDS = ["image", "env", "resources", "metadata", "spec"];
const METADATA_FIELDS = ["labels", "annotations", "namespace"];

/** @param path names the option in errors, e.g. `task "load": pod` */
export function compilePod(override: unknown, path: string): JsonObject {
  const pod = requireObject(compileJson(override, path), path);
  refuseUnknown(pod, FIELDS, path);
  const main: JsonObject = { name: MAIN_CONTAINER };
  if (pod.image !== undefined) main.image = checkImage(pod.image, `${path}.image`);
  if (pod.env !== undefined) {
    const env = requireTexts(pod.env, `${path}.env`);
    main.env = Object.entries(env).map(([name, value]) => ({ name, value }));
  }
  if (pod.resources !== undefined) main.resources = checkResources(pod.resources, `${path}.resources`);

  const result: JsonObject = {};
  if (pod.metadata !== undefined) result.metadata = checkMetadata(pod.metadata, `${path}.metadata`);
  if (pod.spec !== undefined) result.spec = checkSpec(pod.spec, `${path}.spec`);
  return Object.keys(main).length === 1 ? result : mergePods(result, { spec: { containers: [main] } });
}

/** Lists that Kubernetes merges item by item, and what tells their items apart. */
const MERGE_KEYS = new Map([
  ["containers", "name"],
  ["initContainers", "name"],
  ["ephemeralContainers", "name"],
  ["volumes", "name"],
  ["imagePullSecrets", "name"],
  ["hostAliases", "ip"],
  ["topologySpreadConstraints", "topologyKey"],
  ["schedulingGates", "name"],
  ["resourceClaims", "name"],
  ["claims", "name"],
  ["env", "name"],
  ["ports", "containerPort"],
  ["volumeMounts", "mountPath"],
  ["volumeDevices", "devicePath"],
]);

/** … and, where several may have one key, what tells these apart. */
const SEVERAL = new Map([
  ["ports", "protocol"],
  ["hostAliases", "ip"],
  ["topologySpreadConstraints", "whenUnsatisfiable"],
]);
/** Each item has one source, so two of a name cannot be mixed. */
const SOURCES = new Set(["volumes", "resourceClaims"]);

/**
 * A task's pod over its DAG's default, so that the result over the installation's template is what the one after the other
 * would be: kubernetes/strategic-merge.ts. Nulls and directives stay, because they are for the template, too.
 */
export function mergePods(below: JsonObject, above: JsonObject): JsonObject {
  if (above.$patch === "replace") return above;
  const merged: JsonObject = { ...below };
  for (const [name, value] of Object.entries(above)) merged[name] = mergeField(name, below[name], value);
  return merged;
}

function mergeField(name: string, below: Json | undefined, above: Json): Json {
  if (isObject(above)) {
    if (isObject(below)) return mergePods(below, above);
    return below === null ? { $patch: "replace", ...above } : above;
  }
  const key = MERGE_KEYS.get(name);
  if (key === undefined || !Array.isArray(below) || !Array.isArray(above)) return above;
  let merged = below;
  const placed = new Set<Json>();
  for (const item of above) {
    const old = isObject(item) ? findItem(merged, item, name, key, placed) : null;
    const made = isObject(item) && old !== null ? mergeItem(name, old, item) : item;
    placed.add(made);
    merged = old === null ? [...merged, made] : merged.map((each) => (each === old ? made : each));
  }
  return merged;
}

function findItem(list: Json[], item: JsonObject, name: string, key: string, placed: Set<Json>): JsonObject | null {
  const same = list.filter(isObject).filter((each) => each[key] === item[key]);
  const kind = SEVERAL.get(name);
  if (kind === undefined || item.$patch === "delete") return same[0] ?? null;
  const free = same.filter((each) => !placed.has(each));
  return free.find((each) => (each[kind] ?? "TCP") === (item[kind] ?? "TCP")) ?? free[0] ?? null;
}

function mergeItem(name: string, old: JsonObject, item: JsonObject): JsonObject {
  if (item.$patch !== undefined || name === "env") return item;
  const isOther = SOURCES.has(name) && Object.keys(item).some((field) => isGiven(item[field]) && !(field in old));
  return isOther || old.$patch === "delete" ? { ...item, $patch: "replace" } : mergePods(old, item);
}

function checkMetadata(metadata: Json, path: string): JsonObject {
  const object = requireObject(metadata, path);
  refuseUnknown(object, METADATA_FIELDS, path);
  if (isGiven(object.labels)) requireTexts(object.labels, `${path}.labels`);
  if (isGiven(object.annotations)) requireTexts(object.annotations, `${path}.annotations`);
  if (isGiven(object.namespace)) requireText(object.namespace, `${path}.namespace`);
  return object;
}

function checkSpec(spec: Json, path: string): JsonObject {
  const object = requireObject(spec, path);
  for (const list of ["containers", "initContainers"]) {
    const containers = object[list];
    if (!isGiven(containers)) continue;
    requireArray(containers, `${path}.${list}`).forEach((item, index) =>
      checkContainer(item, `${path}.${list}[${index}]`),
    );
  }
  return object;
}

function checkContainer(value: Json, path: string): void {
  const container = requireObject(value, path);
  requireText(container.name ?? null, `${path}.name`);
  if (isGiven(container.image)) checkImage(container.image, `${path}.image`);
  if (isGiven(container.resources)) checkResources(container.resources, `${path}.resources`);
  if (!isGiven(container.env)) return;
  requireArray(container.env, `${path}.env`).forEach((item, index) => {
    const variable = requireObject(item, `${path}.env[${index}]`);
    requireText(variable.name ?? null, `${path}.env[${index}].name`);
    if (isGiven(variable.value)) requireText(variable.value, `${path}.env[${index}].value`);
  });
}

function checkResources(value: Json, path: string): JsonObject {
  const resources = requireObject(value, path);
  if (isGiven(resources.requests)) requireTexts(resources.requests, `${path}.requests`);
  if (isGiven(resources.limits)) requireTexts(resources.limits, `${path}.limits`);
  return resources;
}

function isGiven(value: Json | undefined): value is Exclude<Json, null> {
  return value !== undefined && value !== null;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function requireObject(value: Json, path: string): JsonObject {
  if (isObject(value)) return value;
  throw authorError(`${path} is ${describeValue(value)}, but must be an object.`);
}

function requireArray(value: Json, path: string): Json[] {
  if (Array.isArray(value)) return value;
  throw authorError(`${path} is ${describeValue(value)}, but must be an array.`);
}

function requireText(value: Json, path: string): string {
  if (typeof value === "string") return value;
  throw authorError(`${path} is ${describeValue(value)}, but must be a string. Write numbers and booleans in quotes.`);
}

function requireTexts(value: Json, path: string): { [name: string]: string } {
  const entries = Object.entries(requireObject(value, path));
  return Object.fromEntries(entries.map(([name, text]) => [name, requireText(text, `${path}.${name}`)]));
}

function refuseUnknown(object: JsonObject, known: readonly string[], path: string): void {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown !== undefined) throw authorError(`${path}.${unknown} is unknown. The fields are ${known.join(", ")}.`);
}
