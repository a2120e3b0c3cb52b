// What the fake API server holds: objects under versions that count up, with the history that watches and paged lists
// stand on. Of pods it knows what matters to whoever creates and deletes them; nothing runs them.

import { randomUUID } from "node:crypto";
import type { JsonObject } from "../../src/core/json.ts";
import { isObject, numberAt, objectAt, textAt } from "../../src/kubernetes/read-json.ts";

export interface Place {
  /** Plural, without a subresource. */
  resource: string;
  namespace: string | null;
  name: string;
}

export interface Change {
  version: number;
  place: Place;
  before: JsonObject | null;
  after: JsonObject | null;
}

export interface FakeStatus {
  code: number;
  reason: string;
  message: string;
  causes?: object[];
}

export function isStatus(value: object): value is FakeStatus {
  return "code" in value && "reason" in value;
}

export interface FakeObjects {
  version(): number;
  /** Changes up to here are forgotten. */
  oldest(): number;
  find(place: Place): JsonObject | null;
  list(resource: string, namespace: string | null): JsonObject[];
  create(place: Place, body: JsonObject): JsonObject | FakeStatus;
  patch(place: Place, subresource: string | null, patch: JsonObject): JsonObject | FakeStatus;
  remove(place: Place, uid: string | null, graceSeconds: number | null): JsonObject | FakeStatus;
  since(version: number): Change[];
  onChange(listener: () => void): () => void;
  forgetHistory(): void;
  /** As after the restore of a backup: versions begin anew from `version`, and watches hear nothing of it. */
  rewind(version: number): void;
}

export const notFound = ({ resource, name }: Place): FakeStatus => ({
  code: 404,
  reason: "NotFound",
  message: `${resource} "${name}" not found`,
});
const invalid = (what: string, field: string, message: string): FakeStatus => ({
  code: 422,
  reason: "Invalid",
  message: `${what}: ${field}: ${message}`,
  causes: [{ reason: "FieldValueInvalid", field, message }],
});
const conflict = (message: string): FakeStatus => ({ code: 409, reason: "Conflict", message });

export function createFakeObjects(): FakeObjects {
  let version = 1_000;
  let oldest = version;
  let changes: Change[] = [];
  // By resource, so that ten thousand of one do not slow the others down.
  const objects = new Map<string, Map<string, { place: Place; object: JsonObject }>>();
  const listeners = new Set<() => void>();
  const keyOf = ({ namespace, name }: Place) => `${namespace ?? ""}/${name}`;
  const find = (place: Place) => objects.get(place.resource)?.get(keyOf(place))?.object ?? null;

  /** Writes an object, or null; the version that this makes is in it. */
  const put = (place: Place, after: JsonObject | null): JsonObject => {
    const before = find(place);
    version += 1;
    const last = after ?? before ?? {};
    const written = { ...last, metadata: { ...objectAt(last, "metadata"), resourceVersion: String(version) } };
    const siblings = objects.get(place.resource) ?? new Map<string, { place: Place; object: JsonObject }>();
    objects.set(place.resource, siblings);
    if (after === null) siblings.delete(keyOf(place));
    else siblings.set(keyOf(place), { place, object: written });
    changes.push({
      version,
      place,
      before: after === null ? written : before,
      after: after === null ? null : written,
    });
    for (const listener of listeners) listener();
    return written;
  };

  const list = (resource: string, namespace: string | null) =>
    [...(objects.get(resource)?.values() ?? [])]
      .filter(({ place }) => namespace === null || place.namespace === namespace)
      .toSorted((a, b) => (keyOf(a.place) < keyOf(b.place) ? -1 : 1))
      .map(({ object }) => object);

  return {
    version: () => version,
    oldest: () => oldest,
    find,
    list,
    create: (place, body) => {
      const { resource, namespace, name } = place;
      if (namespace !== null && find({ resource: "namespaces", namespace: null, name: namespace }) === null) {
        return notFound({ resource: "namespaces", namespace: null, name: namespace });
      }
      if (find(place) !== null) {
        const ending = textAt(objectAt(find(place), "metadata"), "deletionTimestamp") !== null;
        const message = `${ending ? "object is being deleted: " : ""}${resource} "${name}" already exists`;
        return { code: 409, reason: "AlreadyExists", message };
      }
      const refusal = resource === "pods" ? refusePod(place, body, list) : null;
      if (refusal !== null) return refusal;
      const metadata = { ...objectAt(body, "metadata"), name, ...(namespace === null ? {} : { namespace }) };
      const made = { uid: randomUUID(), creationTimestamp: new Date().toISOString() };
      const status = resource === "pods" ? { status: { phase: "Pending" } } : {};
      return put(place, { ...body, metadata: { ...metadata, ...made }, ...status });
    },
    patch: (place, subresource, patch) => {
      const object = find(place);
      if (object === null) return notFound(place);
      const metadata = objectAt(object, "metadata");
      for (const field of ["uid", "resourceVersion"]) {
        const asked = textAt(objectAt(patch, "metadata"), field);
        if (asked === null || asked === textAt(metadata, field)) continue;
        if (field === "resourceVersion") return conflict("the object has been modified");
        return invalid(`${place.resource} "${place.name}" is invalid`, "metadata.uid", "field is immutable");
      }
      const { status, ...rest } = patch;
      const applied = mergePatch(object, subresource === "status" ? { status: status ?? {} } : rest) as JsonObject;
      if (JSON.stringify(applied) === JSON.stringify(object)) return object;
      const after = objectAt(applied, "metadata");
      const finalizers = after?.["finalizers"];
      const over = textAt(after, "deletionTimestamp") !== null && !(Array.isArray(finalizers) && finalizers.length > 0);
      return over && numberAt(after, "deletionGracePeriodSeconds") === 0 ? put(place, null) : put(place, applied);
    },
    remove: (place, uid, graceSeconds) => {
      const object = find(place);
      if (object === null) return notFound(place);
      const metadata = objectAt(object, "metadata");
      if (uid !== null && uid !== textAt(metadata, "uid"))
        return conflict(`the uid in the precondition is not the object's`);
      const grace = place.resource === "pods" ? graceOf(object, graceSeconds) : 0;
      const finalizers = metadata?.["finalizers"];
      const held = Array.isArray(finalizers) && finalizers.length > 0;
      const since = textAt(metadata, "deletionTimestamp") ?? new Date(Date.now() + grace * 1_000).toISOString();
      const deletion = { deletionTimestamp: since, deletionGracePeriodSeconds: grace };
      // A pod is first marked, and watches hear of both.
      const marked =
        place.resource === "pods" ? put(place, { ...object, metadata: { ...metadata, ...deletion } }) : object;
      return grace === 0 && !held ? put(place, null) : marked;
    },
    // From the end: who asks has most of it already.
    since: (from) => changes.slice(changes.findLastIndex((change) => change.version <= from) + 1),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    forgetHistory: () => {
      oldest = version;
      changes = [];
    },
    rewind: (to) => {
      version = to;
      oldest = to;
      changes = [];
    },
  };
}

/** A pod without a node, or that has ended, needs no kubelet to let go of it. */
function graceOf(pod: JsonObject, asked: number | null): number {
  const phase = textAt(objectAt(pod, "status"), "phase");
  if (textAt(objectAt(pod, "spec"), "nodeName") === null || phase === "Succeeded" || phase === "Failed") return 0;
  return asked ?? numberAt(objectAt(pod, "spec"), "terminationGracePeriodSeconds") ?? 30;
}

function refusePod(place: Place, body: JsonObject, list: FakeObjects["list"]): FakeStatus | null {
  const containers = objectAt(body, "spec")?.["containers"];
  if (!Array.isArray(containers) || containers.length === 0) {
    return invalid(`Pod "${place.name}" is invalid`, "spec.containers", "Required value");
  }
  for (const quota of list("resourcequotas", place.namespace)) {
    const limit = textAt(objectAt(objectAt(quota, "status"), "hard"), "pods");
    const live = list("pods", place.namespace).length;
    if (limit !== null && live >= Number(limit)) {
      const name = textAt(objectAt(quota, "metadata"), "name");
      const message = `pods "${place.name}" is forbidden: exceeded quota: ${name}, requested: pods=1, used: pods=${live}, limited: pods=${limit}`;
      return { code: 403, reason: "Forbidden", message };
    }
  }
  return null;
}

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}
