// List and watch of one namespace's pods, straight from the API server and without the product's own watch: every change
// is told once or more, every disappearance too. A broken watch goes back to the list.

import { createInterface } from "node:readline";
import { z } from "zod";
import type { KubernetesHttp } from "../../src/kubernetes/http.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { type SoakPod, soakPod } from "./pod-api.ts";

const PAUSE_MS = 200;
const WATCH_SECONDS = 60;

const podList = z.object({ metadata: z.object({ resourceVersion: z.string() }), items: z.array(soakPod) });
const event = z.object({ type: z.string(), object: z.unknown() });

export interface PodFollower {
  onPod(pod: SoakPod): void;
  onGone(uid: string): void;
}

export async function listPods(http: KubernetesHttp, namespace: string) {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  return podList.parse(await http.call({ method: "GET", path, verb: "list", resource: "pods", namespace }));
}

export async function followPods(
  http: KubernetesHttp,
  namespace: string,
  follower: PodFollower,
  signal: AbortSignal,
): Promise<void> {
  const known = new Set<string>();
  const see = (pod: SoakPod) => {
    known.add(pod.metadata.uid);
    follower.onPod(pod);
  };
  const miss = (uid: string) => {
    if (known.delete(uid)) follower.onGone(uid);
  };
  while (!signal.aborted) {
    try {
      const list = await listPods(http, namespace);
      const listed = new Set(list.items.map((pod) => pod.metadata.uid));
      for (const uid of known) if (!listed.has(uid)) miss(uid);
      list.items.forEach(see);
      await watch(http, namespace, list.metadata.resourceVersion, see, miss, signal);
    } catch {
      // The API server is away, or the watch is too old: the list will tell.
    }
    await systemClock.sleep(PAUSE_MS, signal);
  }
}

async function watch(
  http: KubernetesHttp,
  namespace: string,
  resourceVersion: string,
  see: (pod: SoakPod) => void,
  miss: (uid: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { body, close } = await http.stream({
    method: "GET",
    path: `/api/v1/namespaces/${namespace}/pods`,
    query: { watch: true, resourceVersion, timeoutSeconds: WATCH_SECONDS },
    verb: "watch",
    resource: "pods",
    namespace,
    signal,
  });
  // A paused API server says nothing and closes nothing.
  const late = setTimeout(() => void close(), (WATCH_SECONDS + 10) * 1_000);
  try {
    for await (const line of createInterface({ input: body })) {
      const { type, object } = event.parse(JSON.parse(line));
      if (type === "DELETED") miss(soakPod.parse(object).metadata.uid);
      else if (type === "ADDED" || type === "MODIFIED") see(soakPod.parse(object));
      else return;
    }
  } finally {
    clearTimeout(late);
    await close();
  }
}
