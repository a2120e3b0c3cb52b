// The border between the scheduler and whatever runs attempts. Two implementations: the pods of one cluster and local child
// processes. Postgres is authoritative: an executor keeps nothing that it could not read back from its own world (pods,
// processes) and from the ledger. Every method may be repeated after a crash at any point, by any process.

import type { ResolvedContainer } from "../core/container.ts";
import type { ExecutorName } from "../core/executor-name.ts";
import type { JsonObject } from "../core/json.ts";
import type { LogPosition } from "../core/log-position.ts";
import type { Observation } from "../core/observation.ts";
import type { Service } from "../lifecycle/service.ts";

/** All that is needed to start an attempt; the row with `pod_name` was committed before. */
export interface LaunchOrder {
  attempt_id: string;
  epoch: number;
  dag_id: string;
  run_id: string;
  task_id: string;
  map_index: number;
  try_number: number;
  /** Where the pod goes; null for executors without namespaces. */
  namespace: string | null;
  pod_name: string;
  /** The task's partial Pod, merged over the installation's template. */
  pod: JsonObject | null;
  /** Bytes that its main container's memory limit is raised to, where it has a lower one; null: it stays as it is. */
  memory_floor: bigint | null;
  work: LaunchWork;
}

export type LaunchWork =
  /** The worker, with a token that is good for one `start` of this attempt. */
  | { kind: "worker"; launch_token: string }
  /** An image of the author's, that knows nothing of us. The token delivers the result of one that leaves a file. */
  | { kind: "container"; container: ResolvedContainer; result_token: string | null };

export type LaunchResult =
  | { kind: "launched"; pod_uid: string }
  /** The cluster's fault: launch again later, within the launch budget. */
  | { kind: "retry"; reason: string; retry_after_ms: number | null }
  /** Can never work: the exact field or permission that is missing. */
  | { kind: "refused"; reason: string };

/** What the cluster has written about a pod. */
export interface PodEvents {
  last: { at: string; text: string } | null;
  image_pulled_at: string | null;
}

/** A piece of what a container writes. */
export interface ContainerLogPart {
  lines: { timestamp: string; event: string }[];
  position: LogPosition;
  /** The rest did not fit. */
  more: boolean;
}

export interface ContainerLog {
  lines: { timestamp: string; event: string }[];
  /** Earlier lines were left out. */
  shortened: boolean;
}

/** A pod or process that the ledger knows. */
export interface Handle {
  attempt_id: string;
  epoch: number;
  namespace: string | null;
  pod_name: string;
  pod_uid: string | null;
}

export interface Executor extends Service {
  /** What its attempts' rows have: of each cluster another. */
  readonly name: ExecutorName;
  /** Launches that may be under way at once; read before every claim, so it may vary. */
  readonly launchConcurrency: number;
  /** `listener` is called when launchConcurrency has grown. */
  onCapacity?(listener: () => void): void;
  /** The namespace for a task with this partial Pod; null for executors without namespaces. */
  namespaceFor(pod: JsonObject | null): string | null;
  /**
   * Starts the attempt, or finds it started. Never throws for what the cluster answers.
   * @param isOurs false once somebody else may launch it: whoever was paused until then creates nothing any more
   */
  launch(order: LaunchOrder, isOurs?: () => boolean): Promise<LaunchResult>;
  /**
   * The last part of what the container of an ended attempt wrote; null when there is nothing to read. Throws when it cannot
   * be read. Absent: this executor runs no images.
   */
  readLog?(handle: Handle): Promise<ContainerLog | null>;
  /**
   * What the container has written since `from`; `ended`: it writes no more. Null and errors as for readLog. Absent: this
   * executor runs no images.
   */
  followLog?(handle: Handle, from: LogPosition, ended: boolean): Promise<ContainerLogPart | null>;
  /** What the cluster says of the attempt's pod; null: nothing. Absent: there is no cluster. */
  readEvents?(handle: Handle): Promise<PodEvents | null>;
  /**
   * Lets the pod of an ended attempt stay, out of sight of the watch. "running": it has not ended, so it cannot be kept yet.
   * Absent: this executor leaves nothing that could be kept.
   */
  keep?(handle: Handle): Promise<"kept" | "gone" | "running">;
  /** Ends and removes what is left of an attempt. "going": asked for, and an observation with `gone` will follow. */
  remove(handle: Handle): Promise<"gone" | "going">;
}

/** An attempt that the ledger believes to have a pod or process. */
export interface ExpectedAttempt extends Handle {
  state: "launching" | "launched" | "running" | "finished";
  launched_at: string | null;
}

/** The right to watch: writes under an older token are refused with `lease_lost`. */
export interface Lease {
  name: string;
  holder: string;
  token: string;
}

/** What an executor may ask of the state store; implemented by `store/` and handed in by `cli/`. */
export interface AttemptLedger {
  /**
   * Applies observations of this executor's attempts, and of no other's, and saves the position in one transaction, guarded by
   * the lease's token if given.
   */
  record(batch: {
    executor: ExecutorName;
    observations: Observation[];
    position: { key: string; resource_version: string } | null;
    lease: Lease | null;
  }): Promise<void>;
  /** updated_at as an ISO instant. */
  loadPosition(key: string): Promise<{ resource_version: string; updated_at: string } | null>;
  /** Attempts of this executor that have been handed out and not been cleaned. */
  listExpected(executor: ExecutorName): Promise<ExpectedAttempt[]>;
  /** Takes or renews a lease for `ttlMs`; null when another holder has it. */
  acquireLease(name: string, holder: string, ttlMs: number): Promise<Lease | null>;
  releaseLease(lease: Lease): Promise<void>;
}
