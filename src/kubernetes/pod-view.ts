// What is kept of a pod that the API server sent: a few hundred bytes in place of some kilobytes.

import type { ContainerSnapshot, ContainerState, PodCondition, PodPhase, PodSnapshot } from "../core/pod-snapshot.ts";
import { kubernetesError } from "./kubernetes-error.ts";
import { arrayAt, isObject, numberAt, objectAt, textAt, textsAt } from "./read-json.ts";

export interface PodView {
  namespace: string;
  name: string;
  uid: string;
  resource_version: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  created_at: string | null;
  /** Someone has asked for its deletion. */
  deleting: boolean;
  snapshot: PodSnapshot;
}

const PHASES: readonly PodPhase[] = ["Pending", "Running", "Succeeded", "Failed", "Unknown"];

/** Throws a KubernetesError for what is no pod: a watch must not go on past something that it cannot read. */
export function readPod(value: unknown, action: string): PodView {
  const metadata = objectAt(value, "metadata");
  const namespace = textAt(metadata, "namespace");
  const name = textAt(metadata, "name");
  const uid = textAt(metadata, "uid");
  const resourceVersion = textAt(metadata, "resourceVersion");
  if (namespace === null || name === null || uid === null || resourceVersion === null) {
    throw kubernetesError({
      code: 0,
      reason: "Malformed",
      message: "the answer holds an object without namespace, name, uid or resourceVersion",
      action,
    });
  }
  return {
    namespace,
    name,
    uid,
    resource_version: resourceVersion,
    labels: textsAt(metadata, "labels"),
    annotations: textsAt(metadata, "annotations"),
    created_at: textAt(metadata, "creationTimestamp"),
    deleting: textAt(metadata, "deletionTimestamp") !== null,
    snapshot: readSnapshot(value, metadata),
  };
}

function readSnapshot(pod: unknown, metadata: unknown): PodSnapshot {
  const status = objectAt(pod, "status");
  const phase = textAt(status, "phase");
  const specs = readContainerSpecs(objectAt(pod, "spec"));
  return {
    phase: PHASES.find((known) => known === phase) ?? "Pending",
    reason: textAt(status, "reason"),
    message: textAt(status, "message"),
    node_name: textAt(objectAt(pod, "spec"), "nodeName"),
    deletion_requested_at: deletionRequestedAt(metadata),
    scheduling_gates: arrayAt(objectAt(pod, "spec"), "schedulingGates").flatMap((gate) => textAt(gate, "name") ?? []),
    conditions: arrayAt(status, "conditions").map(readCondition),
    containers: [
      ...arrayAt(status, "initContainerStatuses").map((each) => readContainer(each, true, specs)),
      ...arrayAt(status, "containerStatuses").map((each) => readContainer(each, false, specs)),
    ],
  };
}

/** deletionTimestamp is when the grace period ends, not when it began. */
function deletionRequestedAt(metadata: unknown): string | null {
  const at = Date.parse(textAt(metadata, "deletionTimestamp") ?? "");
  if (Number.isNaN(at)) return null;
  return new Date(at - (numberAt(metadata, "deletionGracePeriodSeconds") ?? 0) * 1_000).toISOString();
}

function readCondition(condition: unknown): PodCondition {
  return {
    type: textAt(condition, "type") ?? "",
    status: textAt(condition, "status") ?? "Unknown",
    reason: textAt(condition, "reason"),
    message: textAt(condition, "message"),
    last_transition_at: textAt(condition, "lastTransitionTime"),
  };
}

/** A container's spec by its name: a status shows neither limits nor, before it is pulled, the image as it was asked for. */
function readContainerSpecs(spec: unknown): Map<string, unknown> {
  const containers = [...arrayAt(spec, "initContainers"), ...arrayAt(spec, "containers")];
  return new Map(containers.map((container) => [textAt(container, "name") ?? "", container]));
}

function readContainer(container: unknown, init: boolean, specs: Map<string, unknown>): ContainerSnapshot {
  const name = textAt(container, "name") ?? "";
  const spec = specs.get(name);
  const last = readState(objectAt(container, "lastState"));
  return {
    name,
    init,
    sidecar: init && textAt(spec, "restartPolicy") === "Always",
    image: textAt(spec, "image") ?? textAt(container, "image"),
    // A limit that was changed in place is asked for before the node applies it.
    memory_limit: readMemoryLimit(container) ?? readMemoryLimit(spec),
    state: readState(objectAt(container, "state")),
    last_end: last.kind === "terminated" ? last : null,
    started: isObject(container) && typeof container["started"] === "boolean" ? container["started"] : null,
  };
}

function readMemoryLimit(container: unknown): string | null {
  return textAt(objectAt(objectAt(container, "resources"), "limits"), "memory");
}

function readState(state: unknown): ContainerState {
  const terminated = objectAt(state, "terminated");
  if (terminated) {
    return {
      kind: "terminated",
      exit_code: numberAt(terminated, "exitCode") ?? 0,
      signal: numberAt(terminated, "signal"),
      reason: textAt(terminated, "reason"),
      message: textAt(terminated, "message"),
      started_at: readInstant(terminated, "startedAt"),
      finished_at: readInstant(terminated, "finishedAt"),
    };
  }
  const running = objectAt(state, "running");
  if (running) return { kind: "running", started_at: readInstant(running, "startedAt") };
  // An absent state means waiting: the kubelet has not said more yet.
  const waiting = isObject(state) ? state["waiting"] : null;
  return { kind: "waiting", reason: textAt(waiting, "reason"), message: textAt(waiting, "message") };
}

/** Containers that never ran carry Kubernetes' zero time, 1970. */
function readInstant(value: unknown, key: string): string | null {
  const text = textAt(value, key);
  return text === null || Date.parse(text) === 0 ? null : text;
}
