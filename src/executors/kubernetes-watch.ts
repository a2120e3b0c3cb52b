// The watch of one namespace, of which there is one in the whole installation: whoever holds its lease watches, the others
// ask for it every few seconds. All that is written is guarded by the lease's token, so a holder that was paused past its
// time is refused; it also stops by itself, before the lease can have passed on, by its own monotonic clock.

import { isFailure, messageOf } from "../core/errors.ts";
import type { ExecutorName } from "../core/executor-name.ts";
import { identifyCluster } from "../kubernetes/cluster-identity.ts";
import type { KubernetesHttp } from "../kubernetes/http.ts";
import { type ReflectorState, runReflector } from "../kubernetes/reflector.ts";
import { backoffDelay, WATCH_BACKOFF } from "../lifecycle/backoff.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { Service } from "../lifecycle/service.ts";
import type { AttemptLedger, Lease } from "./executor.ts";
import type { KubernetesMonitor } from "./kubernetes-monitor.ts";
import { createPodObserver } from "./kubernetes-observe.ts";

const LEASE_TTL_MS = 15_000;
const RENEW_MS = 5_000;
// A position older than this has most likely left the server's history (5 minutes), so a list comes sooner.
const RESUME_MAX_AGE_MS = 3 * 60_000;

/** following: another process watches this namespace. */
export type WatchState = ReflectorState | { kind: "following" };

export interface NamespaceWatchOptions {
  ledger: AttemptLedger;
  http: KubernetesHttp;
  clock: Clock;
  log: Logger;
  holder: string;
  executor: ExecutorName;
  namespace: string;
  /** Of attempts that name none. */
  defaultNamespace: string;
  selector: string;
  relistIntervalMs: number;
  onState: (state: WatchState) => void;
  monitor: KubernetesMonitor;
}

export function createNamespaceWatch(options: NamespaceWatchOptions): Service {
  const { ledger, clock, log, namespace, monitor } = options;
  const name = `watch of pods in ${namespace}`;
  const leaseName = `kubernetes-pods/${namespace}/${options.selector}`;
  const stopping = new AbortController();
  let running: Promise<void> | null = null;

  const acquire = () => ledger.acquireLease(leaseName, options.holder, LEASE_TTL_MS);

  /** Renews until the lease is lost or `signal`; then aborts `lost`. */
  const keepLease = async (lease: Lease, takenAt: number, lost: AbortController, signal: AbortSignal) => {
    let renewedAt = takenAt;
    while (!signal.aborted) {
      await clock.sleep(RENEW_MS, signal);
      if (signal.aborted) return;
      const asked = clock.monotonic();
      try {
        const renewed = await Promise.race([acquire(), clock.sleep(RENEW_MS, signal).then(() => "late" as const)]);
        if (renewed !== "late") {
          // Another token: the lease had passed on in between, and so may have the truth.
          if (renewed === null || renewed.token !== lease.token) break;
          renewedAt = asked;
        }
      } catch (error) {
        log.warn({ namespace, err: error }, "the watch's lease could not be renewed");
      }
      if (clock.monotonic() - renewedAt > LEASE_TTL_MS - RENEW_MS) break;
    }
    if (signal.aborted) return;
    log.warn({ namespace }, "the watch's lease is lost");
    monitor.onLease(namespace, "lost");
    lost.abort();
  };

  const watchUnder = async (lease: Lease, takenAt: number) => {
    const lost = new AbortController();
    const over = new AbortController();
    const signal = AbortSignal.any([stopping.signal, lost.signal]);
    const keeping = keepLease(lease, takenAt, lost, AbortSignal.any([stopping.signal, over.signal]));
    try {
      const positionKey = `${await identifyCluster(options.http, signal)}/v1/pods/${namespace}/${options.selector}`;
      const position = await ledger.loadPosition(positionKey);
      const ageMs = position === null ? 0 : clock.now().getTime() - Date.parse(position.updated_at);
      const young = position !== null && ageMs >= 0 && ageMs < RESUME_MAX_AGE_MS;
      log.info({ namespace, resume_from: young ? position.resource_version : null }, "watching pods");
      await runReflector(
        {
          http: options.http,
          clock,
          log,
          namespace,
          selector: options.selector,
          sink: createPodObserver({ ...options, lease, positionKey, signal }),
          resumeFrom: young ? position.resource_version : null,
          relistIntervalMs: options.relistIntervalMs,
          onState: options.onState,
          onList: (cause) => monitor.onList(namespace, cause),
          onWatchEnd: (ending) => monitor.onWatchEnd(namespace, ending),
        },
        signal,
      );
    } finally {
      over.abort();
      await keeping;
      // A lease that is lost is another's. Not giving one back costs its time to live, no more.
      if (!lost.signal.aborted) {
        await ledger
          .releaseLease(lease)
          .catch((error: unknown) => log.warn({ namespace, err: error }, "the watch's lease was not released"));
      }
    }
  };

  const run = async () => {
    let failures = 0;
    while (!stopping.signal.aborted) {
      try {
        const asked = clock.monotonic();
        const lease = await acquire();
        if (lease === null) {
          options.onState({ kind: "following" });
          await clock.sleep(RENEW_MS * (0.8 + Math.random() * 0.4), stopping.signal);
          continue;
        }
        monitor.onLease(namespace, "taken");
        await watchUnder(lease, asked);
        failures = 0;
      } catch (error) {
        if (stopping.signal.aborted) {
          if (!isFailure(error, "lease_lost")) log.debug({ namespace, err: error }, "watch stopped");
          return;
        }
        failures += 1;
        const delayMs = backoffDelay(WATCH_BACKOFF, failures);
        log.warn({ namespace, err: error, failures, delayMs }, "watch could not be kept");
        options.onState({ kind: "waiting", reason: messageOf(error) });
        await clock.sleep(delayMs, stopping.signal);
      }
    }
  };

  return {
    name,
    start: async () => {
      running ??= run();
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
