// What was seen of an attempt's pod or process, free of any client library's types.

import type { Json } from "./json.ts";
import type { Outcome } from "./outcome.ts";

export const WAITING_KINDS = ["unschedulable", "image", "configuration", "starting"] as const;
export type WaitingKind = (typeof WAITING_KINDS)[number];

export interface Observation {
  attempt_id: string;
  epoch: number;
  namespace: string | null;
  pod_uid: string;
  /** ISO instants out of the pod's status; null until they happen. */
  pod_scheduled_at: string | null;
  container_started_at: string | null;
  /** When the node had the image; absent: not observed. */
  image_pulled_at?: string | null;
  /** Bytes that the main container may use; absent: no limit, or not known. */
  memory_limit?: bigint | null;
  /** Why the pod does not run yet, in one sentence. */
  waiting: { kind: WaitingKind; reason: string } | null;
  /** What threatens a pod that runs and has no worker to say so, in one clause; absent: nothing. */
  trouble?: string | null;
  /** Set when the pod or process can do nothing more. A success here means only "exited with 0". */
  outcome: Outcome | null;
  /** Of a pod without our worker, which nobody reports from: its container's start and end are the attempt's. from_file: its result was delivered apart. */
  container: { result: Json; from_file?: boolean } | null;
  /** The process is known to have ended; a pod that vanished while it ran may have left it behind. */
  process_ended: boolean;
  /** The object no longer exists. */
  gone: boolean;
}
