// Why a pod does not run yet, in one sentence. Kubernetes spreads the answer over conditions and container states.

import type { WaitingKind } from "./observation.ts";
import { listNames, sayInstant } from "./phrase.ts";
import { type ContainerSnapshot, findCondition, findMain, nameNode, type PodSnapshot } from "./pod-snapshot.ts";

export interface Waiting {
  kind: WaitingKind;
  reason: string;
}

const IMAGE_REASONS = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "ErrImageNeverPull",
  "ImageInspectError",
  "RegistryUnavailable",
  "SignatureValidationFailed",
]);
const CONFIGURATION_REASONS = new Set([
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
  "PreCreateHookError",
  "PreStartHookError",
  "PostStartHookError",
]);
/** What every container has until the kubelet comes to it. */
const NOT_YET_REASONS = new Set(["ContainerCreating", "PodInitializing"]);

/** null: the main container runs or has ended. */
export function explainWaiting(pod: PodSnapshot): Waiting | null {
  if (pod.phase === "Succeeded" || pod.phase === "Failed") return null;
  const main = findMain(pod);
  if (main && main.state.kind !== "waiting") return null;
  return explainContainers(pod) ?? explainScheduling(pod) ?? explainStart(pod);
}

/** What threatens a pod whose main container runs, for who would ask in vain whoever runs in it; null: nothing. */
export function explainTrouble(pod: PodSnapshot): string | null {
  const main = findMain(pod);
  if (main?.state.kind !== "running") return null;
  const ready = findCondition(pod, "Ready");
  // The control plane's mark of a node that fell silent; a kubelet would give its reason.
  if (ready?.status === "False" && ready.reason === null) {
    return `${pod.node_name ?? "its node"} does not report, so nobody knows whether it still runs: bring it back, or delete it from the cluster when it is gone for good`;
  }
  const disruption = findCondition(pod, "DisruptionTarget");
  if (disruption?.status === "True") {
    return `the cluster is ending its pod (${sayReason(disruption.reason ?? "no reason given", disruption.message)})`;
  }
  if (pod.deletion_requested_at === null) return null;
  return `its pod is being deleted since ${sayInstant(new Date(pod.deletion_requested_at))}`;
}

/** The container that holds the others up: init containers come first. */
function explainContainers(pod: PodSnapshot): Waiting | null {
  for (const container of pod.containers) {
    const ending = pod.deletion_requested_at === null ? explainEndingSidecar(container) : null;
    if (ending !== null) return ending;
    if (container.state.kind !== "waiting" || container.state.reason === null) continue;
    const { reason, message } = container.state;
    const detail = sayReason(reason, message);
    if (IMAGE_REASONS.has(reason)) {
      const image = container.image === null ? "the image" : `the image ${container.image}`;
      return { kind: "image", reason: `The node cannot get ${image} for ${label(container)} (${detail})` };
    }
    if (CONFIGURATION_REASONS.has(reason)) {
      return { kind: "configuration", reason: `The node cannot start ${label(container)} (${detail})` };
    }
  }
  return null;
}

/** Sidecars are started again for ever, and the task's container waits until they run. */
function explainEndingSidecar({ name, sidecar, state, last_end }: ContainerSnapshot): Waiting | null {
  const isBackingOff = state.kind === "waiting" && state.reason === "CrashLoopBackOff";
  if (!sidecar || !(isBackingOff || state.kind === "terminated")) return null;
  const end = state.kind === "terminated" ? state : last_end;
  const said = end?.message ? `: ${end.message.trim().replace(/\s+/g, " ").slice(-300)}` : "";
  const parts = [
    state.kind === "waiting" ? sayReason(state.reason ?? "", state.message) : null,
    end === null ? null : `last with exit code ${end.exit_code}${said}`,
  ].filter((part) => part !== null);
  return {
    kind: "configuration",
    reason: `The sidecar "${name}" keeps ending before the task's container can start (${parts.join("; ")})`,
  };
}

function explainScheduling(pod: PodSnapshot): Waiting | null {
  const scheduled = findCondition(pod, "PodScheduled");
  if (scheduled?.status !== "False") return null;
  if (scheduled.reason === "SchedulingGated") {
    const { length } = pod.scheduling_gates;
    const names = length === 0 ? "" : ` ${listNames(pod.scheduling_gates)}`;
    const [gates, set] = length > 1 ? [`gates${names} hold`, "them"] : [`gate${names} holds`, "it"];
    const reason = `The scheduling ${gates} the pod back; whoever set ${set} must remove ${set}`;
    return { kind: "unschedulable", reason };
  }
  const message = scheduled.message ?? scheduled.reason ?? "the scheduler gave no reason";
  if (scheduled.reason === "SchedulerError") {
    return { kind: "unschedulable", reason: `The scheduler met an error and tries again: ${message}` };
  }
  return { kind: "unschedulable", reason: `No node can take the pod: ${message}` };
}

function explainStart(pod: PodSnapshot): Waiting {
  if (pod.deletion_requested_at !== null) return { kind: "starting", reason: "The pod is being deleted" };
  if (pod.phase === "Unknown") return { kind: "starting", reason: `${nameNode(pod)} does not report the pod's state` };
  if (pod.node_name === null) return { kind: "starting", reason: "The pod waits for the scheduler to choose a node" };
  return { kind: "starting", reason: sayStart(pod, pod.node_name) };
}

function sayStart(pod: PodSnapshot, node: string): string {
  for (const container of pod.containers) {
    const { init, sidecar, started, state } = container;
    if (state.kind === "waiting" && state.reason !== null && !NOT_YET_REASONS.has(state.reason)) {
      return `${node} holds ${label(container)} back (${sayReason(state.reason, state.message)})`;
    }
    if (state.kind !== "running" || !init) continue;
    if (!sidecar) return `${label(container)} is running before the task on ${node}`;
    if (started === false) return `${label(container)} runs on ${node} and has not passed its startup probe`;
  }
  return findCondition(pod, "PodReadyToStartContainers")?.status === "False"
    ? `${node} is preparing the pod's volumes and network`
    : `${node} is pulling the image and creating the container`;
}

function sayReason(reason: string, message: string | null): string {
  return message === null ? reason : `${reason}: ${message}`;
}

function label({ name, init, sidecar }: ContainerSnapshot): string {
  return `${sidecar ? "sidecar" : init ? "init container" : "container"} "${name}"`;
}
