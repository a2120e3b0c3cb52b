// Why a pod does not run yet, in one sentence. Kubernetes spreads the answer over conditions and container states.

import { RESULT_CONTAINER } from "./container-result.ts";
import type { WaitingKind } from "./observation.ts";
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

/** null: the main container runs or has ended. */
export function explainWaiting(pod: PodSnapshot): Waiting | null {
  if (pod.phase === "Succeeded" || pod.phase === "Failed") return null;
  const main = findMain(pod);
  if (main && main.state.kind !== "waiting") return null;
  return explainContainers(pod) ?? explainScheduling(pod) ?? explainStart(pod);
}

/** The container that holds the others up: init containers come first. */
function explainContainers(pod: PodSnapshot): Waiting | null {
  for (const container of pod.containers) {
    if (container.state.kind !== "waiting" || container.state.reason === null) continue;
    const { reason, message } = container.state;
    const detail = message === null ? reason : `${reason}: ${message}`;
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

function explainScheduling(pod: PodSnapshot): Waiting | null {
  const scheduled = findCondition(pod, "PodScheduled");
  if (scheduled?.status !== "False") return null;
  if (scheduled.reason === "SchedulingGated") {
    return { kind: "unschedulable", reason: "A scheduling gate holds the pod back; whoever set it must remove it" };
  }
  const message = scheduled.message ?? scheduled.reason ?? "the scheduler gave no reason";
  return { kind: "unschedulable", reason: `No node can take the pod: ${message}` };
}

function explainStart(pod: PodSnapshot): Waiting {
  if (pod.deletion_requested_at !== null) return { kind: "starting", reason: "The pod is being deleted" };
  if (pod.phase === "Unknown") return { kind: "starting", reason: `${nameNode(pod)} does not report the pod's state` };
  if (pod.node_name === null) return { kind: "starting", reason: "The pod waits for the scheduler to choose a node" };
  const init = pod.containers.find((container) => isRunningInit(container));
  if (init) return { kind: "starting", reason: `${label(init)} is running before the task on ${pod.node_name}` };
  return { kind: "starting", reason: `${pod.node_name} is pulling the image and creating the container` };
}

/** The helper runs beside the container from the start, and holds nothing up. */
function isRunningInit({ init, name, state }: ContainerSnapshot): boolean {
  return init && name !== RESULT_CONTAINER && state.kind === "running";
}

function label(container: ContainerSnapshot): string {
  return `${container.init ? "init container" : "container"} "${container.name}"`;
}
