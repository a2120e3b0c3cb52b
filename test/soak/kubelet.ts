// A node that is not there: binds pods, takes them from Pending over ContainerCreating to Running, runs what is in them,
// and tells the API server how it ended, as the kubelet does. It honours deletions with their grace and has the last word
// on them; what happens to a pod beside that (evictions, kills, a node that is cut off) is done to it by the faults.

import type { JsonObject } from "../../src/core/json.ts";
import { ANNOTATIONS } from "../../src/kubernetes/pod-labels.ts";
import type { KubernetesHttp } from "../../src/kubernetes/http.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { type Container, type End, startContainer } from "./container.ts";
import { followPods } from "./follow-pods.ts";
import type { Ledger } from "./ledger.ts";
import { createPodApi, type SoakPod } from "./pod-api.ts";
import type { Random } from "./random.ts";

const NODE = "soak-node";

export interface SoakKubelet {
  /** Pods whose container runs and that nobody deletes. */
  running(): SoakPod[];
  /** Pods that wait for their container and that nobody deletes. */
  pending(): SoakPod[];
  /** SIGKILL, reported as the kernel's doing for want of memory. */
  killForMemory(uid: string): void;
  /** The node is short of something: SIGKILL, and the pod says so. */
  evict(uid: string): void;
  /** Stops the container's process for a while, as a node under pressure does. */
  freeze(uid: string, ms: number): Promise<void>;
  /** The node can no longer be reached: its container goes on, and nothing is heard of it. */
  isolate(uid: string): void;
  /** It is heard of again: what happened meanwhile is told, and what was asked of it is done. */
  reconnect(uid: string): void;
  /** Pods whose container was told to end before it had done its work. */
  terminated(): string[];
  /** Of pods that existed one after the other. */
  namesUsedTwice(): string[];
  /** Resolves with the next pod that is seen for the first time. */
  nextPod(): Promise<SoakPod>;
  /** Containers that run, those of isolated nodes included. */
  processes(): number;
  stop(): Promise<void>;
}

interface Resident {
  pod: SoakPod;
  container: Container | null;
  startedAt: string | null;
  done: boolean;
  end: End | null;
  isolated: boolean;
  /** What a fault wants the end to be called. */
  fate: "memory" | "evicted" | null;
  deleting: AbortController;
}

export function startKubelet(http: KubernetesHttp, namespace: string, ledger: Ledger, random: Random): SoakKubelet {
  const stopping = new AbortController();
  const api = createPodApi(http, namespace, NODE, stopping.signal);
  const residents = new Map<string, Resident>();
  const terminated: string[] = [];
  const uids = new Map<string, Set<string>>();
  let awaiting: ((pod: SoakPod) => void)[] = [];
  let processes = 0;

  const live = async (resident: Resident): Promise<void> => {
    const { pod, deleting } = resident;
    const { annotations } = pod.metadata;
    const dice = random.fork(
      `${annotations[ANNOTATIONS.run]}/${annotations[ANNOTATIONS.task]}/${annotations[ANNOTATIONS.epoch]}`,
    );
    await systemClock.sleep(dice.between(0, 200), deleting.signal);
    if (deleting.signal.aborted) return;
    await api.bind(pod);
    const there = await api.setStatus(pod, {
      phase: "Pending",
      conditions: [scheduled()],
      containerStatuses: [statusOf(pod, waiting)],
    });
    if (!there) return;
    await systemClock.sleep(dice.between(0, 400), deleting.signal);
    if (deleting.signal.aborted) return endDeleted(resident, null);
    await run(resident);
  };

  const run = async (resident: Resident): Promise<void> => {
    const { pod } = resident;
    const container = startContainer(pod, ledger);
    processes += 1;
    resident.container = container;
    resident.startedAt = new Date().toISOString();
    const running = { running: { startedAt: resident.startedAt } };
    const told = api.setStatus(pod, {
      phase: "Running",
      startTime: resident.startedAt,
      containerStatuses: [statusOf(pod, running)],
    });
    const end = await container.ended;
    processes -= 1;
    resident.done = true;
    resident.end = end;
    await told;
    // A worker's 0 says that its report was accepted; a bare container's counts once the API server knows it. Another code
    // of its own may be the answer to a signal, so that a pod that was told to go is repeated.
    const accepted = container.bare ? false : end.exitCode === 0;
    if (!container.bare) ledger.noteExit(container.worker, end.exitCode, accepted);
    const published = resident.isolated ? false : await api.setStatus(pod, endedStatus(resident, end));
    if (container.bare) ledger.noteExit(container.worker, end.exitCode, published && end.exitCode === 0);
    if (resident.deleting.signal.aborted) await endDeleted(resident, end);
  };

  const endDeleted = async (resident: Resident, end: End | null): Promise<void> => {
    resident.done = true;
    if (resident.isolated || residents.get(resident.pod.metadata.uid) !== resident) return;
    if (end === null) {
      // Deleted before its container was made: the kubelet says that it never will be.
      await api.setStatus(resident.pod, { phase: "Failed" });
    }
    await api.finalize(resident.pod);
  };

  /** Its code has run, and its report may have been taken note of: then its pod is no longer needed. */
  const hasActed = ({ worker }: Container): boolean =>
    ledger.entries().some((entry) => entry.worker === worker && entry.event !== "begin");

  /** SIGTERM, and SIGKILL after the grace. */
  const terminate = async (resident: Resident, graceSeconds: number): Promise<void> => {
    resident.deleting.abort();
    const { container } = resident;
    if (resident.done) return endDeleted(resident, { exitCode: 0, signal: null, lastWords: "" });
    if (container === null) return;
    if (!hasActed(container)) terminated.push(resident.pod.metadata.name);
    container.kill(graceSeconds === 0 ? "SIGKILL" : "SIGTERM");
    await Promise.race([container.ended, systemClock.sleep(graceSeconds * 1_000, stopping.signal)]);
    if (!resident.done) container.kill("SIGKILL");
  };

  const following = followPods(
    http,
    namespace,
    {
      onPod: (pod) => {
        const known = residents.get(pod.metadata.uid);
        const resident: Resident = known ?? {
          pod,
          container: null,
          startedAt: null,
          done: false,
          end: null,
          isolated: false,
          fate: null,
          deleting: new AbortController(),
        };
        resident.pod = pod;
        if (!known) {
          residents.set(pod.metadata.uid, resident);
          const { name, uid } = pod.metadata;
          uids.set(name, (uids.get(name) ?? new Set()).add(uid));
          for (const tell of awaiting) tell(pod);
          awaiting = [];
          void live(resident);
        }
        if (pod.metadata.deletionTimestamp !== undefined && !resident.deleting.signal.aborted && !resident.isolated) {
          void terminate(resident, pod.metadata.deletionGracePeriodSeconds ?? 30);
        }
      },
      onGone: (uid) => {
        const resident = residents.get(uid);
        if (!resident) return;
        residents.delete(uid);
        // Deleted by force: the node hears of it, and kills what is left.
        if (!resident.isolated && !resident.deleting.signal.aborted) void terminate(resident, 2);
      },
    },
    stopping.signal,
  );

  const find = (uid: string): Resident | null => {
    const resident = residents.get(uid);
    return resident?.container && !resident.done ? resident : null;
  };
  const doom = (uid: string, fate: "memory" | "evicted") => {
    const resident = find(uid);
    if (!resident) return;
    resident.fate = fate;
    resident.container?.kill("SIGKILL");
  };
  const alive = (has: (resident: Resident) => boolean) =>
    [...residents.values()]
      .filter((one) => !one.done && !one.isolated && !one.deleting.signal.aborted && one.fate === null && has(one))
      .map(({ pod }) => pod);
  return {
    running: () => alive(({ container }) => container !== null),
    pending: () => alive(({ container }) => container === null),
    killForMemory: (uid) => doom(uid, "memory"),
    evict: (uid) => doom(uid, "evicted"),
    freeze: async (uid, ms) => {
      const container = find(uid)?.container;
      container?.kill("SIGSTOP");
      await systemClock.sleep(ms, stopping.signal);
      container?.kill("SIGCONT");
    },
    isolate: (uid) => {
      const resident = find(uid);
      if (resident) resident.isolated = true;
    },
    reconnect: (uid) => {
      const resident = residents.get(uid);
      if (!resident) return;
      resident.isolated = false;
      if (resident.done && resident.end) void api.setStatus(resident.pod, endedStatus(resident, resident.end));
      const { deletionTimestamp, deletionGracePeriodSeconds = 30 } = resident.pod.metadata;
      if (deletionTimestamp !== undefined) void terminate(resident, deletionGracePeriodSeconds);
    },
    terminated: () => terminated,
    namesUsedTwice: () => [...uids].flatMap(([name, seen]) => (seen.size > 1 ? [name] : [])),
    nextPod: () => new Promise((resolve) => awaiting.push(resolve)),
    processes: () => processes,
    stop: async () => {
      stopping.abort();
      for (const { container, done } of residents.values()) if (!done) container?.kill("SIGKILL");
      await following;
    },
  };
}

const waiting: JsonObject = { waiting: { reason: "ContainerCreating" } };

function scheduled(): JsonObject {
  return { type: "PodScheduled", status: "True", lastTransitionTime: wholeSeconds(new Date()) };
}

function statusOf(pod: SoakPod, state: JsonObject): JsonObject {
  const image = pod.spec.containers[0]?.image ?? "";
  return { name: "base", image, imageID: image, ready: false, restartCount: 0, state };
}

function endedStatus({ pod, startedAt, fate }: Resident, { exitCode, signal, lastWords }: End): JsonObject {
  const reason = fate === "memory" ? "OOMKilled" : exitCode === 0 ? "Completed" : "Error";
  const terminated: JsonObject = { exitCode, reason, startedAt, finishedAt: wholeSeconds(new Date()) };
  if (signal !== null) terminated["signal"] = signal;
  if (exitCode !== 0 && lastWords !== "") terminated["message"] = lastWords;
  return {
    phase: exitCode === 0 ? "Succeeded" : "Failed",
    ...(fate === "evicted" ? { reason: "Evicted", message: "The node was low on resource: memory." } : {}),
    containerStatuses: [statusOf(pod, { terminated })],
  };
}

/** As Kubernetes keeps times. */
function wholeSeconds(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}
