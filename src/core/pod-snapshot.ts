// The little of a pod that its outcome depends on, free of any client library's types. Times are ISO instants.

export const MAIN_CONTAINER = "base";

export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";

export interface PodCondition {
  type: string;
  status: string;
  reason: string | null;
  message: string | null;
  last_transition_at: string | null;
}

export type ContainerState =
  | { kind: "waiting"; reason: string | null; message: string | null }
  | { kind: "running"; started_at: string | null }
  | TerminatedState;

export interface TerminatedState {
  kind: "terminated";
  exit_code: number;
  signal: number | null;
  reason: string | null;
  message: string | null;
  started_at: string | null;
  finished_at: string | null;
}

export interface ContainerSnapshot {
  name: string;
  /** Runs before the main container. */
  init: boolean;
  /** An init container that runs on beside the others, and is started again when it ends. */
  sidecar: boolean;
  image: string | null;
  /** As the node applies it, or else as the spec has it, for example "256Mi". */
  memory_limit: string | null;
  state: ContainerState;
  /** How it ended the last time, of one that was started again. */
  last_end: TerminatedState | null;
  /** Running, and past its startup probe; null: not said. */
  started: boolean | null;
}

export interface PodSnapshot {
  phase: PodPhase;
  /** Set by the kubelet or a controller for ends that are the pod's, not a container's: Evicted, DeadlineExceeded … */
  reason: string | null;
  message: string | null;
  node_name: string | null;
  /** When someone asked for the pod's deletion (its deletionTimestamp less the grace period). */
  deletion_requested_at: string | null;
  /** What others have put there to keep it from being scheduled. */
  scheduling_gates: string[];
  conditions: PodCondition[];
  containers: ContainerSnapshot[];
}

/** The container that runs the task. */
export function findMain(pod: PodSnapshot): ContainerSnapshot | undefined {
  return pod.containers.find((container) => container.name === MAIN_CONTAINER && !container.init);
}

/** The node as the subject of a sentence. */
export function nameNode(pod: PodSnapshot): string {
  return pod.node_name === null ? "The node" : `The node ${pod.node_name}`;
}

export function findCondition(pod: PodSnapshot, type: string): PodCondition | null {
  return pod.conditions.find((condition) => condition.type === type) ?? null;
}
