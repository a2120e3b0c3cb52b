// The measure that Windlass is held against: one pod without anything of ours, from its create call to the watch event that
// says that its container has ended.

import { randomUUID } from "node:crypto";
import type { JsonObject } from "../../../src/core/json.ts";
import { followWatch } from "../../../src/kubernetes/follow-watch.ts";
import type { KubernetesHttp } from "../../../src/kubernetes/http.ts";
import { createPod, deletePod, listPods } from "../../../src/kubernetes/pods.ts";
import { systemClock } from "../../../src/lifecycle/clock.ts";

const LIMIT_MS = 120_000;

/** Milliseconds from create to terminated of a pod that runs `node -e 0`. */
export async function measureBarePod(http: KubernetesHttp, namespace: string, image: string): Promise<number> {
  const name = `bare-${randomUUID().slice(0, 8)}`;
  const selector = `test=${name}`;
  const pages = await Array.fromAsync(listPods(http, namespace, { selector }));
  const ended = new AbortController();
  let milliseconds = Number.NaN;
  let began = systemClock.monotonic();
  const watching = followWatch(
    {
      http,
      clock: systemClock,
      namespace,
      selector,
      resourceVersion: pages[0]?.resource_version ?? "",
      timeoutSeconds: LIMIT_MS / 1000,
      hardDeadlineMs: LIMIT_MS,
      idleMs: LIMIT_MS,
      signal: ended.signal,
    },
    async (events) => {
      // The container's own state comes before the pod's phase.
      const over = events.some(
        (event) => "pod" in event && event.pod.snapshot.containers.some(({ state }) => state.kind === "terminated"),
      );
      if (!over || ended.signal.aborted) return;
      milliseconds = systemClock.monotonic() - began;
      ended.abort();
    },
  );
  began = systemClock.monotonic();
  const pod = await createPod(http, namespace, describeBarePod(name, image));
  await watching;
  await deletePod(http, namespace, name, { uid: pod.uid, gracePeriodSeconds: 0 });
  if (Number.isNaN(milliseconds)) throw new Error(`the bare pod ${name} did not end within ${LIMIT_MS / 1000} s`);
  return milliseconds;
}

function describeBarePod(name: string, image: string): JsonObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { test: name } },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "base", image, imagePullPolicy: "IfNotPresent", command: ["node", "-e", "0"] }],
    },
  };
}
