// From pods to observations, into the ledger. The ledger says which attempts should have a pod; a list is compared with it
// in both directions: an expected pod that is not listed is asked for by name before it is called gone, and a pod that
// nobody expects is removed. Everything may be repeated.

import type { Observation } from "../core/observation.ts";
import { containerExits, judgeMessage, readContainerResult } from "../core/container.ts";
import { awaitResult } from "../core/container-result.ts";
import type { ExecutorName } from "../core/executor-name.ts";
import type { Outcome } from "../core/outcome.ts";
import { hasEnded, judgeGonePod, judgePod, type KnownExits } from "../core/pod-outcome.ts";
import type { PodSnapshot } from "../core/pod-snapshot.ts";
import { explainTrouble } from "../core/pod-waiting.ts";
import type { KubernetesHttp } from "../kubernetes/http.ts";
import { isNotFound } from "../kubernetes/kubernetes-error.ts";
import { ANNOTATIONS, LABELS } from "../kubernetes/pod-labels.ts";
import type { PodView } from "../kubernetes/pod-view.ts";
import { getPod, type PodPage } from "../kubernetes/pods.ts";
import type { PodChange, ReflectorSink } from "../kubernetes/reflector.ts";
import { compareResourceVersions } from "../kubernetes/resource-version.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { AttemptLedger, ExpectedAttempt, Lease } from "./executor.ts";
import { forEachLimited } from "./for-each-limited.ts";
import type { KubernetesMonitor } from "./kubernetes-monitor.ts";
import { type MarkedPod, sweepPods } from "./kubernetes-sweep.ts";
import { WORKER_EXITS } from "./worker-exits.ts";

const CONCURRENT_CALLS = 16;

export interface ObserverOptions {
  ledger: AttemptLedger;
  lease: Lease;
  http: KubernetesHttp;
  log: Logger;
  executor: ExecutorName;
  namespace: string;
  /** Of attempts that name none. */
  defaultNamespace: string;
  /** Of the watch's position. */
  positionKey: string;
  signal: AbortSignal;
  monitor: KubernetesMonitor;
}

/** A pod that was seen, by name: enough to know a repeated event and a successor of the same name. */
interface KnownPod {
  uid: string;
  resource_version: string;
  attempt: AttemptMark;
  started: boolean;
}

interface AttemptMark {
  attempt_id: string;
  epoch: number;
  /** Of a pod without our worker; null: there is one. */
  containerExits: KnownExits | null;
  /** Its result is delivered by a helper. */
  resultFile: boolean;
}

export function createPodObserver(options: ObserverOptions): ReflectorSink {
  const { ledger, lease, http, log, executor, namespace, signal } = options;
  let known = new Map<string, KnownPod>();

  const record = (observations: Observation[], resourceVersion: string | null) =>
    ledger.record({
      executor,
      observations,
      position: resourceVersion === null ? null : { key: options.positionKey, resource_version: resourceVersion },
      lease,
    });

  const expected = async (): Promise<ExpectedAttempt[]> =>
    (await ledger.listExpected(executor)).filter(
      (attempt) => (attempt.namespace ?? options.defaultNamespace) === namespace,
    );

  /** What has become of an attempt's pod that the server no longer shows us. */
  const confirm = async (
    mark: AttemptMark,
    name: string,
    uid: string,
    last: PodSnapshot | null,
  ): Promise<Observation> => {
    try {
      const pod = await getPod(http, namespace, name, signal);
      if (pod.uid === uid) {
        if (!(LABELS.keptBy in pod.labels)) {
          log.warn({ pod: name, namespace }, "a pod lost the label that it is found by");
        }
        return observePod(readMark(pod) ?? mark, pod);
      }
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    return observeGone(mark, namespace, uid, last);
  };

  const applyList = async (pages: AsyncIterable<PodPage>): Promise<string> => {
    // Before the list: an attempt launched after this moment may be missing from the list and yet be well.
    const before = await expected();
    const states = new Map(before.map(({ attempt_id, state }) => [attempt_id, state]));
    const listed = new Map<string, KnownPod>();
    // Only names outlive a page: a whole list may be larger than memory.
    const strangers: MarkedPod[] = [];
    let pods = 0;
    let resourceVersion = "";
    for await (const page of pages) {
      resourceVersion = page.resource_version;
      const observations: Observation[] = [];
      for (const pod of page.pods) {
        pods += 1;
        const { [ANNOTATIONS.attempt]: attempt } = pod.annotations;
        if (attempt !== undefined && !states.has(attempt) && !pod.deleting) {
          strangers.push({ name: pod.name, uid: pod.uid, attempt_id: attempt });
        }
        const mark = readMark(pod);
        if (mark === null) continue;
        const seen = observePod(mark, pod);
        listed.set(pod.name, knownPod(pod, mark, seen));
        // Nothing that a finished attempt's pod does matters but its going.
        if (states.get(mark.attempt_id) !== "finished") observations.push(seen);
      }
      await record(observations, null);
    }
    const missing = before.flatMap((attempt) => {
      const { pod_uid: uid } = attempt;
      return uid === null || listed.get(attempt.pod_name)?.uid === uid ? [] : [{ attempt, uid }];
    });
    const found: Observation[] = [];
    await forEachLimited(missing, CONCURRENT_CALLS, async ({ attempt, uid }) => {
      found.push(await confirm({ ...attempt, containerExits: null, resultFile: false }, attempt.pod_name, uid, null));
    });
    await record(found, resourceVersion);
    known = listed;
    // After the list: whoever is expected by now must not be swept. Who was expected before it has others to remove its pod.
    if (strangers.length > 0) {
      const since = new Set((await expected()).map(({ attempt_id }) => attempt_id));
      await sweepPods({ http, log, namespace, signal }, strangers, since);
    }
    log.info({ namespace, pods, missing: missing.length, resource_version: resourceVersion }, "pods listed");
    return resourceVersion;
  };

  const applyChanges = async (changes: PodChange[], resourceVersion: string): Promise<void> => {
    const replaced: Observation[] = [];
    const seen: Observation[] = [];
    const vanished: { mark: AttemptMark; pod: PodView }[] = [];
    for (const { type, pod } of changes) {
      const mark = readMark(pod);
      if (mark === null) continue;
      const before = known.get(pod.name);
      if (before?.uid === pod.uid && (compareResourceVersions(pod.resource_version, before.resource_version) ?? 1) <= 0)
        continue;
      if (before !== undefined && before.uid !== pod.uid && type !== "DELETED") {
        replaced.push(observeGone(before.attempt, namespace, before.uid, null));
      }
      if (type !== "DELETED") {
        const observation = observePod(mark, pod);
        known.set(pod.name, knownPod(pod, mark, observation));
        seen.push(observation);
        if (before?.uid === pod.uid && !before.started) countStart(options.monitor, pod, observation);
        continue;
      }
      if (before?.uid === pod.uid) known.delete(pod.name);
      // DELETED also says "no longer matches the selector", so an end that nobody has seen is asked for.
      if (judgePod(pod.snapshot, exitsOf(mark)).outcome === null) vanished.push({ mark, pod });
      else seen.push(observeGone(mark, namespace, pod.uid, pod.snapshot));
    }
    await forEachLimited(vanished, CONCURRENT_CALLS, async ({ mark, pod }) => {
      seen.push(await confirm(mark, pod.name, pod.uid, pod.snapshot));
    });
    if (replaced.length > 0) await record(replaced, null);
    await record(seen, resourceVersion);
  };

  return { applyList, applyChanges };
}

function knownPod(pod: PodView, attempt: AttemptMark, seen: Observation): KnownPod {
  const started = seen.container_started_at !== null;
  return { uid: pod.uid, resource_version: pod.resource_version, attempt, started };
}

function countStart(monitor: KubernetesMonitor, pod: PodView, seen: Observation): void {
  const created = Date.parse(pod.created_at ?? "");
  const since = (at: string | null) => (Date.parse(at ?? "") - created) / 1_000;
  const scheduled = since(seen.pod_scheduled_at);
  const started = since(seen.container_started_at);
  if (scheduled >= 0 && started >= 0) monitor.onPodStarted(scheduled, started);
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const EPOCH = /^[1-9]\d{0,8}$/;

/** Anyone may write a pod's marks: what the ledger cannot hold must not keep the watch from going on. */
function readMark(pod: PodView): AttemptMark | null {
  const attemptId = pod.annotations[ANNOTATIONS.attempt] ?? "";
  const epoch = pod.annotations[ANNOTATIONS.epoch] ?? "";
  if (!UUID.test(attemptId) || !EPOCH.test(epoch)) return null;
  const codes = pod.annotations[ANNOTATIONS.skipOnExitCodes]?.split(",").filter(Boolean).map(Number);
  return {
    attempt_id: attemptId,
    epoch: Number(epoch),
    containerExits: codes === undefined ? null : containerExits(codes),
    resultFile: codes !== undefined && ANNOTATIONS.resultFile in pod.annotations,
  };
}

function exitsOf(mark: AttemptMark): KnownExits {
  return mark.containerExits ?? WORKER_EXITS;
}

function observePod(mark: AttemptMark, pod: PodView): Observation {
  const judged = judgePod(pod.snapshot, exitsOf(mark));
  return {
    attempt_id: mark.attempt_id,
    epoch: mark.epoch,
    namespace: pod.namespace,
    pod_uid: pod.uid,
    ...judged,
    outcome: withResult(mark, pod.snapshot, judged.outcome, false),
    trouble: mark.containerExits === null ? null : explainTrouble(pod.snapshot),
    container: observeContainer(mark, pod.snapshot),
    process_ended: hasEnded(pod.snapshot),
    gone: false,
  };
}

function withResult(mark: AttemptMark, pod: PodSnapshot | null, outcome: Outcome | null, gone: boolean) {
  if (mark.containerExits === null) return outcome;
  return mark.resultFile ? awaitResult(pod, outcome, gone) : judgeMessage(pod, outcome);
}

function observeContainer(mark: AttemptMark, pod: PodSnapshot | null): Observation["container"] {
  if (mark.containerExits === null) return null;
  if (mark.resultFile) return { result: null, from_file: true };
  return { result: pod === null ? null : readContainerResult(pod) };
}

function observeGone(mark: AttemptMark, namespace: string, uid: string, last: PodSnapshot | null): Observation {
  const times = last === null ? null : judgePod(last, exitsOf(mark));
  const outcome = judgeGonePod(last, exitsOf(mark));
  return {
    attempt_id: mark.attempt_id,
    epoch: mark.epoch,
    namespace,
    pod_uid: uid,
    pod_scheduled_at: times?.pod_scheduled_at ?? null,
    container_started_at: times?.container_started_at ?? null,
    memory_limit: times?.memory_limit ?? null,
    waiting: null,
    outcome: withResult(mark, last, outcome, true),
    container: observeContainer(mark, last),
    process_ended: last !== null && hasEnded(last),
    gone: true,
  };
}
