// Keeps a consumer in step with the pods of one namespace and selector: a consistent list, then a watch from exactly that
// moment, and so on for ever. The API server is authoritative. Whatever cannot be proved to be without a gap (an expired
// position, an unreadable line, watches that end at once, a consumer that failed) goes back to the list; whatever is only
// a broken connection goes on from the last applied position. A list also follows periodically, because a server whose
// etcd was restored accepts a watch from the future and is silent for hours (kubernetes#107457).

import { isFailure, messageOf } from "../core/errors.ts";
import { backoffDelay, WATCH_BACKOFF } from "../lifecycle/backoff.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import { createBatcher } from "./batcher.ts";
import { followWatch, type WatchEnd } from "./follow-watch.ts";
import type { KubernetesHttp } from "./http.ts";
import { isForbidden, isGone, isKubernetesError } from "./kubernetes-error.ts";
import type { PodView } from "./pod-view.ts";
import { listPods, type PodPage } from "./pods.ts";
import { compareResourceVersions } from "./resource-version.ts";
import type { PodEvent } from "./watch-event.ts";

export interface PodChange {
  type: "ADDED" | "MODIFIED" | "DELETED";
  pod: PodView;
}

/** Both methods save the position together with what they apply, or fail and leave both. */
export interface ReflectorSink {
  /** The whole truth at one moment; answers with the resource version it holds for. May be repeated. */
  applyList(pages: AsyncIterable<PodPage>): Promise<string>;
  /** Changes in their order (none, when only the position moved), up to `resourceVersion`. */
  applyChanges(changes: PodChange[], resourceVersion: string): Promise<void>;
}

/** degraded: the API server forbids the list or the watch. */
export type ReflectorState = { kind: "syncing" | "watching" } | { kind: "degraded" | "waiting"; reason: string };

/** Why a list was made in place of going on from a position. */
export type ListCause = "start" | "periodic" | "expired" | "short_watches" | "consumer" | "doubt";

/** How a watch ended: by the server, by our own limits, or broken. */
export type WatchEnding = Exclude<WatchEnd, "stopped"> | "error";

export interface ReflectorOptions {
  http: KubernetesHttp;
  clock: Clock;
  log: Logger;
  namespace: string;
  selector: string;
  sink: ReflectorSink;
  /** A position that is young and of this cluster; null: begin with a list. */
  resumeFrom: string | null;
  relistIntervalMs?: number;
  idleMs?: number;
  random?: () => number;
  onState?: (state: ReflectorState) => void;
  onList?: (cause: ListCause) => void;
  onWatchEnd?: (ending: WatchEnding) => void;
}

const RELIST_INTERVAL_MS = 10 * 60_000;
const LIST_AFTER_RESUME_MS = 60_000;
const IDLE_MS = 150_000;
const WATCH_SECONDS = 300;
const HARD_DEADLINE_GRACE_MS = 30_000;
const FORBIDDEN_RETRY_MS = 30_000;
// A watch this long was healthy: its end is not the server's trouble, so the backoff begins anew.
const HEALTHY_MS = 5_000;
const VERY_SHORT_MS = 1_000;
const MAX_VERY_SHORT = 3;
const MAX_DOUBTFUL = 3;
const BATCH = { maxItems: 500, maxDelayMs: 20, maxQueued: 5_000 };

/** Runs until `signal`; then resolves once the connection is closed and all that was received is applied. */
export async function runReflector(options: ReflectorOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options;
  const random = options.random ?? Math.random;
  const relistIntervalMs = options.relistIntervalMs ?? RELIST_INTERVAL_MS;
  const report = (state: ReflectorState) => options.onState?.(state);

  let position = options.resumeFrom;
  /** The highest position known, also while `position` is given up: a list behind it means a restored etcd. */
  let highest = position;
  let listDueAt = clock.monotonic() + Math.min(LIST_AFTER_RESUME_MS, relistIntervalMs);
  let listCause: ListCause = "start";
  let failures = 0;
  /** Expired positions without a healthy watch between them. */
  let expired = 0;
  let veryShort = 0;

  const giveUpPosition = (cause: ListCause) => {
    position = null;
    listCause = cause;
  };

  const list = async (): Promise<string> => {
    report({ kind: "syncing" });
    options.onList?.(listCause);
    // Continue tokens expire: then the list is begun anew, and at last asked for in one piece, whatever its size.
    for (const pageSize of [undefined, undefined, 0]) {
      try {
        const resourceVersion = await options.sink.applyList(
          listPods(options.http, options.namespace, {
            selector: options.selector,
            signal,
            ...(pageSize === undefined ? {} : { pageSize }),
          }),
        );
        if (highest !== null && (compareResourceVersions(resourceVersion, highest) ?? 0) < 0) {
          log.error(
            { namespace: options.namespace, listed: resourceVersion, known: highest },
            "the cluster's history went back; was its etcd restored?",
          );
        }
        highest = resourceVersion;
        return resourceVersion;
      } catch (error) {
        if (!isGone(error) || pageSize === 0) throw error;
      }
    }
    throw new Error("unreachable: the last list either returns or throws");
  };

  const watch = async (from: string) => {
    report({ kind: "watching" });
    const untilListMs = Math.max(1_000, listDueAt - clock.monotonic());
    const timeoutSeconds = Math.ceil(Math.min(WATCH_SECONDS * (1 + random()), untilListMs / 1_000));
    const began = clock.monotonic();
    let events = 0;
    const ended = new AbortController();
    const batcher = createBatcher<PodEvent & { type: Exclude<PodEvent["type"], "ERROR"> }>({
      ...BATCH,
      clock,
      onFailure: () => ended.abort(),
      flush: async (batch) => {
        const last = batch.at(-1);
        if (last === undefined) return;
        await options.sink.applyChanges(
          batch.filter((event) => event.type !== "BOOKMARK"),
          last.resource_version,
        );
        position = last.resource_version;
        highest = last.resource_version;
      },
    });
    try {
      const end = await followWatch(
        {
          http: options.http,
          clock,
          namespace: options.namespace,
          selector: options.selector,
          resourceVersion: from,
          timeoutSeconds,
          hardDeadlineMs: timeoutSeconds * 1_000 + HARD_DEADLINE_GRACE_MS,
          idleMs: options.idleMs ?? IDLE_MS,
          signal: AbortSignal.any([signal, ended.signal]),
        },
        async (received) => {
          events += received.length;
          const error = received.findIndex((event) => event.type === "ERROR");
          const good = error === -1 ? received : received.slice(0, error);
          await batcher.add(good.filter((event) => event.type !== "ERROR"));
          const first = received[error];
          if (first?.type === "ERROR") throw first.error;
        },
      );
      return { end, events, livedMs: clock.monotonic() - began };
    } finally {
      if (clock.monotonic() - began >= HEALTHY_MS) {
        failures = 0;
        expired = 0;
      }
      // What was received counts even if the watch broke; a failure here is a failed consumer and replaces other errors.
      await batcher.drain().catch((error: unknown) => {
        throw sinkFailure(error);
      });
    }
  };

  while (!signal.aborted) {
    try {
      if (position === null) {
        position = await list();
        listDueAt = clock.monotonic() + relistIntervalMs;
      }
      const { end, events, livedMs } = await watch(position);
      if (end === "stopped") continue;
      options.onWatchEnd?.(end);
      if (clock.monotonic() + VERY_SHORT_MS >= listDueAt) {
        giveUpPosition("periodic");
        continue;
      }
      log.debug({ namespace: options.namespace, end, events, livedMs }, "watch ended");
      if (livedMs >= HEALTHY_MS) {
        veryShort = 0;
        continue;
      }
      veryShort = livedMs < VERY_SHORT_MS && events === 0 ? veryShort + 1 : 0;
      if (veryShort >= MAX_VERY_SHORT) {
        log.warn({ namespace: options.namespace, position }, "watches end at once; listing instead");
        veryShort = 0;
        giveUpPosition("short_watches");
      }
      failures += 1;
      await clock.sleep(backoffDelay(WATCH_BACKOFF, failures, random), signal);
    } catch (error) {
      if (signal.aborted && !isSinkFailure(error)) break;
      const cause = causeOf(error);
      if (isFailure(cause, "lease_lost")) throw cause;
      // Who says that a position has expired is well: what failed before is over, and the list follows within a second.
      if (isGone(error)) expired += 1;
      failures = isGone(error) ? expired : failures + 1;
      // A server may also answer a position that it dislikes with 500, time and again.
      const doubted = isKubernetesError(error) && error.code >= 500 && failures >= MAX_DOUBTFUL;
      if (position !== null) options.onWatchEnd?.("error");
      if (isSinkFailure(error)) giveUpPosition("consumer");
      else if (isGone(error)) giveUpPosition("expired");
      else if (needsList(error) || doubted) giveUpPosition("doubt");
      else if (clock.monotonic() >= listDueAt) giveUpPosition("periodic");
      await clock.sleep(pauseAfter(cause, failures), signal);
    }
  }

  function pauseAfter(error: unknown, failed: number): number {
    const reason = messageOf(error);
    if (isForbidden(error)) {
      log.error({ namespace: options.namespace, err: error }, "the API server forbids watching pods");
      report({ kind: "degraded", reason });
      return FORBIDDEN_RETRY_MS;
    }
    const retryAfterMs = isKubernetesError(error) ? (error.retryAfterMs ?? 0) : 0;
    const delayMs = backoffDelay(WATCH_BACKOFF, failed, random, retryAfterMs);
    // Expired positions and broken connections are everyday; what a person may have to mend is louder.
    const everyday = isGone(error) || (isKubernetesError(error) && failed < 3);
    log[everyday ? "info" : "warn"](
      { namespace: options.namespace, err: error, failures: failed, delayMs },
      "watch broken",
    );
    report({ kind: "waiting", reason });
    return delayMs;
  }
}

function sinkFailure(cause: unknown): Error {
  return Object.assign(new Error("the watch's consumer failed", { cause }), { name: "SinkFailure" });
}

function isSinkFailure(error: unknown): boolean {
  return error instanceof Error && error.name === "SinkFailure";
}

/** What went wrong, whether in the consumer or on the way to it. */
function causeOf(error: unknown): unknown {
  return error instanceof Error && isSinkFailure(error) ? error.cause : error;
}

/** true: what is applied may have a gap behind it. */
function needsList(error: unknown): boolean {
  if (!isKubernetesError(error)) return false;
  if (error.reason === "Malformed") return true;
  // Answers of the server that say nothing of the connection or its load: the position itself may be at fault.
  return error.code >= 400 && error.code < 500 && ![401, 403, 408, 429].includes(error.code);
}
