// One watch, from its request to its end. A watch has three limits besides the server's: headers must come, bytes must
// come now and then (a half-open connection gives no error for ever), and no watch outlives its hard deadline.

import type { Clock } from "../lifecycle/clock.ts";
import type { KubernetesHttp } from "./http.ts";
import { isKubernetesError, kubernetesError } from "./kubernetes-error.ts";
import { podCall } from "./pods.ts";
import { createLineSplitter } from "./split-lines.ts";
import { errorOfTransport } from "./transport-error.ts";
import { type PodEvent, readEvent } from "./watch-event.ts";

// Ten times what etcd can store: a longer line is no object.
const LONGEST_LINE = 16 * 1024 * 1024;

/** closed: by the server, cleanly. stopped: by `signal`. */
export type WatchEnd = "closed" | "deadline" | "idle" | "stopped";

export interface FollowWatchOptions {
  http: KubernetesHttp;
  clock: Clock;
  namespace: string;
  selector: string;
  /** Everything after it is sent; never empty, which would mean another kind of watch. */
  resourceVersion: string;
  /** When the server ends the watch by itself. */
  timeoutSeconds: number;
  hardDeadlineMs: number;
  idleMs: number;
  signal: AbortSignal;
}

/** `onEvents` is awaited before more is read, so that a slow consumer slows the server down. Rejects with a KubernetesError. */
export async function followWatch(
  options: FollowWatchOptions,
  onEvents: (events: PodEvent[]) => Promise<void>,
): Promise<WatchEnd> {
  const { clock, signal } = options;
  const stream = await options.http.stream({
    ...podCall("watch", options.namespace, signal),
    method: "GET",
    query: {
      watch: true,
      allowWatchBookmarks: true,
      labelSelector: options.selector,
      resourceVersion: options.resourceVersion,
      timeoutSeconds: options.timeoutSeconds,
    },
  });
  const began = clock.monotonic();
  let lastByteAt = began;
  let handling = false;
  let cut: "deadline" | "idle" | null = null;
  const over = new AbortController();

  const guard = async () => {
    while (!over.signal.aborted) {
      const now = clock.monotonic();
      const untilDeadline = began + options.hardDeadlineMs - now;
      const untilIdle = handling ? options.idleMs : lastByteAt + options.idleMs - now;
      if (untilDeadline <= 0 || untilIdle <= 0) {
        cut = untilDeadline <= 0 ? "deadline" : "idle";
        stream.body.destroy();
        return;
      }
      await clock.sleep(Math.min(untilDeadline, untilIdle), over.signal);
    }
  };
  const guarding = guard();

  try {
    const splitter = createLineSplitter();
    for await (const chunk of stream.body) {
      handling = true;
      const events = splitter.push(chunk as Buffer).map(readEvent);
      if (splitter.pending() > LONGEST_LINE) {
        throw kubernetesError({
          code: 0,
          reason: "Malformed",
          message: "a line is longer than 16 MB",
          action: "watch pods",
        });
      }
      if (events.length > 0) await onEvents(events);
      handling = false;
      lastByteAt = clock.monotonic();
    }
    // A line that was cut short is dropped: its change is after the last position, and comes again.
    return endOf(cut, signal) ?? "closed";
  } catch (error) {
    if (isKubernetesError(error)) throw error;
    const end = handling ? null : endOf(cut, signal);
    if (end !== null) return end;
    throw handling ? error : errorOfTransport(error, { action: "watch pods", mutates: false, expired: false });
  } finally {
    over.abort();
    await Promise.all([guarding, stream.close()]);
  }
}

function endOf(cut: "deadline" | "idle" | null, signal: AbortSignal): WatchEnd | null {
  return signal.aborted ? "stopped" : cut;
}
