// What the Kubernetes executor reports for metrics: every method is called as things happen and must return at once.

import type { Lane } from "../kubernetes/call-gate.ts";
import type { RequestRecord } from "../kubernetes/http.ts";
import type { ListCause, WatchEnding } from "../kubernetes/reflector.ts";

export interface KubernetesMonitor {
  onRequest(record: RequestRecord): void;
  /** Calls that may be under way at once have become more or fewer. */
  onLimit(lane: Lane, limit: number): void;
  /** The API server has said that it is overloaded. */
  onOverload(lane: Lane): void;
  onWatchEnd(namespace: string, ending: WatchEnding): void;
  onList(namespace: string, cause: ListCause): void;
  /** taken: this process watches from now on; lost: another one does. */
  onLease(namespace: string, change: "taken" | "lost"): void;
  /** Of a pod, once: seconds from its creation, as precise as Kubernetes' times, which are whole seconds. */
  onPodStarted(scheduled: number, started: number): void;
}

/** For executors without metrics. */
export const UNMONITORED: KubernetesMonitor = {
  onRequest: () => {},
  onLimit: () => {},
  onOverload: () => {},
  onWatchEnd: () => {},
  onList: () => {},
  onLease: () => {},
  onPodStarted: () => {},
};
