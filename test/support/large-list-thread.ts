// A thread that serves one large list of pods, so that what serving costs is not measured with what reading costs. Pods are
// made as they are asked for, in pages; a create is answered with what it asks for.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { attemptOf, epochOf, type LargeList, podNameOf } from "./large-list-server.ts";

const { pods, podBytes } = workerData as LargeList;
const VERSION = "1000000";

function makePod(index: number): object {
  const pod = {
    metadata: {
      namespace: "default",
      name: podNameOf(index),
      uid: `uid-${index}`,
      resourceVersion: String(1_000 + index),
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: { "windlass.dev/installation": "large", "windlass.dev/dag-id": "d" },
      annotations: { "windlass.dev/attempt-id": attemptOf(index), "windlass.dev/epoch": String(epochOf(index)) },
      managedFields: [] as object[],
    },
    spec: { nodeName: "n", containers: [{ name: "base", image: "registry.example/windlass:1" }] },
    status: {
      phase: "Running",
      conditions: [{ type: "PodScheduled", status: "True", lastTransitionTime: "2026-01-01T00:00:01Z" }],
      containerStatuses: [{ name: "base", state: { running: { startedAt: "2026-01-01T00:00:02Z" } } }],
    },
  };
  // As in life: most of a pod is its managed fields, many small objects.
  while (JSON.stringify(pod).length < podBytes) {
    const fields = Object.fromEntries(
      Array.from({ length: 12 }, (_, at) => [`f:field-${at}`, { "f:value": {}, ".": {} }]),
    );
    pod.metadata.managedFields.push({ manager: "windlass", operation: "Update", fieldsV1: { "f:spec": fields } });
  }
  return pod;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const answers = new Map<string, string>();
const server = createServer((request, response) => {
  void readBody(request).then((body) => {
    const url = new URL(request.url ?? "/", "http://server");
    response.setHeader("content-type", "application/json");
    if (request.method === "POST") {
      const pod = JSON.parse(body) as { metadata: object };
      const metadata = { ...pod.metadata, uid: "made", resourceVersion: VERSION };
      return response.writeHead(201).end(JSON.stringify({ ...pod, metadata }));
    }
    const from = Number(url.searchParams.get("continue") ?? 0);
    const limit = Number(url.searchParams.get("limit") ?? 0) || pods;
    const key = `${from} ${limit}`;
    const to = Math.min(pods, from + limit);
    const text =
      answers.get(key) ??
      JSON.stringify({
        metadata: { resourceVersion: VERSION, ...(to < pods ? { continue: String(to) } : {}) },
        items: Array.from({ length: to - from }, (_, at) => makePod(from + at)),
      });
    answers.set(key, text);
    return response.end(text);
  });
});
server.listen(0, "127.0.0.1", () =>
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage((server.address() as AddressInfo).port),
);
