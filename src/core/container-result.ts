// The result of a container that leaves it in a file: a helper beside it delivers the file once the container has ended, so
// that a success is one only when the helper has ended, too.

import type { Outcome } from "./outcome.ts";
import type { PodSnapshot } from "./pod-snapshot.ts";

export const RESULT_CONTAINER = "windlass-result";

/** How the helper ends; see contract/worker-process.ts. */
const UNUSABLE = 65;

/**
 * What the pod's outcome is, given that of its main container.
 * @param gone the pod no longer exists, so that what has not been delivered never will be
 */
export function awaitResult(pod: PodSnapshot | null, outcome: Outcome | null, gone: boolean): Outcome | null {
  if (outcome?.kind !== "success") return outcome;
  const helper = pod?.containers.find((container) => container.name === RESULT_CONTAINER);
  if (helper?.state.kind !== "terminated") {
    if (!gone && pod?.phase !== "Succeeded" && pod?.phase !== "Failed") return null;
    return lost("its pod ended before the result was delivered");
  }
  const { exit_code: code, message } = helper.state;
  if (code === 0) return outcome;
  const why = message?.trim() ?? "";
  if (code === UNUSABLE) {
    return {
      kind: "task_failed",
      reason: `The container's result cannot be used${detail(why)}`,
      exit_code: 0,
      error: null,
    };
  }
  return lost(`the helper that delivers its result exited with code ${code}${detail(why)}`);
}

function lost(why: string): Outcome {
  return { kind: "lost", reason: `The container succeeded, but ${why}`, exit_code: 0, error: null };
}

function detail(text: string): string {
  return text === "" ? "" : `: ${text.slice(0, 1_000)}`;
}
