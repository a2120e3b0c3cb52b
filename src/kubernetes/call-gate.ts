// Lets calls through as call-flow.ts says, in the order of their coming. A call that never got through is known to have
// done nothing.

import type { Clock } from "../lifecycle/clock.ts";
import { adjustFlow, type CallFlow, freePlaces, openFlow } from "./call-flow.ts";
import type { Deadline } from "./deadline.ts";
import { isKubernetesError, isWebhookDown, kubernetesError, type KubernetesError } from "./kubernetes-error.ts";

/** Each has a limit of its own: neither a storm of creates nor nodes that keep logs waiting can keep lists away. */
export type Lane = "read" | "write" | "log";

export interface GateOptions {
  lane: Lane;
  max: number;
  clock: Clock;
  /** Calls that may be under way at once, whenever that changes by a whole one. */
  onLimit?: (lane: Lane, limit: number) => void;
  onOverload?: (lane: Lane, code: number) => void;
}

export interface GatedCall {
  action: string;
  deadline: Deadline;
  /** Monotonic ms by which it must have ended. */
  endsBy: number;
}

export interface CallGate {
  pass<T>(call: GatedCall, send: () => Promise<T>): Promise<T>;
  limit(): number;
}

export function createCallGate(options: GateOptions): CallGate {
  const { clock, lane } = options;
  let flow: CallFlow = openFlow(options.max);
  let underWay = 0;
  const waiting = new Set<() => void>();
  let wakingAt: number | null = null;

  const letThrough = () => {
    const now = clock.monotonic();
    let free = freePlaces(flow, underWay, now);
    for (const enter of waiting) {
      if (free <= 0) break;
      free -= 1;
      waiting.delete(enter);
      underWay += 1;
      enter();
    }
    if (waiting.size === 0 || now >= flow.paused_until || wakingAt === flow.paused_until) return;
    wakingAt = flow.paused_until;
    void clock.sleep(flow.paused_until - now).then(() => {
      wakingAt = null;
      letThrough();
    });
  };

  const enter = async (call: GatedCall): Promise<void> => {
    const now = clock.monotonic();
    const { signal } = call.deadline;
    if (flow.paused_until > call.endsBy) throw refused(call, flow.paused_until - now);
    if (waiting.size === 0 && freePlaces(flow, underWay, now) > 0 && !signal.aborted) {
      underWay += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        waiting.delete(proceed);
        reject(refused(call, Math.max(0, flow.paused_until - clock.monotonic())));
      };
      const proceed = () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      waiting.add(proceed);
      letThrough();
    });
  };

  const learn = (error: KubernetesError | null, beganAt: number) => {
    const overloaded = error !== null && saysOverload(error);
    // A broken connection says nothing of the server's load, neither that it is high nor that it is not.
    if (error?.code === 0 && !overloaded) return;
    const before = Math.floor(flow.limit);
    const end = { overloaded, began_at: beganAt, retry_after_ms: error?.retryAfterMs ?? null };
    flow = adjustFlow(flow, end, clock.monotonic());
    if (overloaded) options.onOverload?.(lane, error.code);
    if (Math.floor(flow.limit) !== before) options.onLimit?.(lane, Math.floor(flow.limit));
  };

  options.onLimit?.(lane, options.max);
  return {
    limit: () => Math.floor(flow.limit),
    pass: async (call, send) => {
      await enter(call);
      const beganAt = clock.monotonic();
      try {
        const answer = await send();
        learn(null, beganAt);
        return answer;
      } catch (error) {
        if (isKubernetesError(error)) learn(error, beganAt);
        throw error;
      } finally {
        underWay -= 1;
        letThrough();
      }
    },
  };
}

/** Any other answer, an error too, is one that the server had the time for. */
function saysOverload(error: KubernetesError): boolean {
  const { code, reason } = error;
  return code === 429 || (code >= 500 && !isWebhookDown(error)) || reason === "Timeout";
}

function refused(call: GatedCall, waitMs: number) {
  return kubernetesError({
    code: 429,
    reason: "TooManyRequests",
    message: "the API server is overloaded, so the call was not sent",
    action: call.action,
    retryAfterMs: Math.round(waitMs),
    uncertain: false,
  });
}
