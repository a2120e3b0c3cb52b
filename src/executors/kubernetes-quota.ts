// A namespace whose quota is used up, or whose webhook does not answer, refuses every pod, so one create a second is enough to
// learn that it takes pods again, however many attempts wait for it.

import type { Clock } from "../lifecycle/clock.ts";
import type { LaunchResult } from "./executor.ts";

const PROBE_MS = 1_000;

export interface QuotaGate {
  /** Passes a launch on, or answers as the last one was answered. */
  pass(namespace: string, launch: (onRefused: () => void) => Promise<LaunchResult>): Promise<LaunchResult>;
}

export function createQuotaGate(clock: Clock): QuotaGate {
  const full = new Map<string, { reason: string; probe_at: number }>();
  return {
    pass: async (namespace, launch) => {
      const known = full.get(namespace);
      const now = clock.monotonic();
      if (known && now < known.probe_at) {
        return {
          kind: "retry",
          reason: known.reason,
          retry_after_ms: Math.min(PROBE_MS, Math.ceil(known.probe_at - now)),
        };
      }
      // One at a time, however long it takes: others have the places of this cluster's launches.
      if (known) known.probe_at = Infinity;
      let refused = false;
      const result = await launch(() => {
        refused = true;
      }).finally(() => {
        if (known) known.probe_at = clock.monotonic() + PROBE_MS;
      });
      if (refused && result.kind === "retry") {
        full.set(namespace, { reason: result.reason, probe_at: clock.monotonic() + PROBE_MS });
      } else if (result.kind === "launched") {
        full.delete(namespace);
      }
      return result;
    },
  };
}
