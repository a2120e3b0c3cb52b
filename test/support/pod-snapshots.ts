// Pods in the states that tests speak of, as small as they may be; AT gives instants by the second.

import type {
  ContainerSnapshot,
  ContainerState,
  PodCondition,
  PodSnapshot,
  TerminatedState,
} from "../../src/core/pod-snapshot.ts";

export const AT = (second: number) => new Date(Date.UTC(2026, 0, 1, 12, 0, second)).toISOString();

export const ended = (exitCode: number, more: Partial<TerminatedState> = {}): TerminatedState => ({
  kind: "terminated",
  exit_code: exitCode,
  signal: null,
  reason: exitCode === 0 ? "Completed" : "Error",
  message: null,
  started_at: AT(10),
  finished_at: AT(30),
  ...more,
});
export const running: ContainerState = { kind: "running", started_at: AT(10) };
export const waiting = (reason: string | null, message: string | null = null): ContainerState => ({
  kind: "waiting",
  reason,
  message,
});
export const container = (state: ContainerState, more: Partial<ContainerSnapshot> = {}): ContainerSnapshot => ({
  name: "base",
  init: false,
  sidecar: false,
  image: "registry.example/etl:1",
  memory_limit: "256Mi",
  state,
  last_end: null,
  started: null,
  ...more,
});
export const condition = (type: string, status: string, more: Partial<PodCondition> = {}): PodCondition => ({
  type,
  status,
  reason: null,
  message: null,
  last_transition_at: AT(20),
  ...more,
});
export const disrupted = (reason: string, at = 20) =>
  condition("DisruptionTarget", "True", { reason, message: null, last_transition_at: AT(at) });
export const pod = (more: Partial<PodSnapshot>): PodSnapshot => ({
  phase: "Running",
  reason: null,
  message: null,
  node_name: "node-7",
  deletion_requested_at: null,
  scheduling_gates: [],
  conditions: [],
  containers: [],
  ...more,
});
export const failed = (more: Partial<PodSnapshot>) => pod({ phase: "Failed", ...more });
