// The events of a pod, as the real API server selects and dates them.

import { afterAll, beforeAll, expect, test } from "vitest";
import type { JsonObject } from "../../src/core/json.ts";
import { readPodEvents } from "../../src/kubernetes/pod-events.ts";
import { call, connect, createNamespace } from "../support/api-server.ts";

const http = connect();
let namespace = "";
beforeAll(async () => {
  namespace = await createNamespace(http);
});
afterAll(async () => {
  await call(http, "DELETE", `/api/v1/namespaces/${namespace}`);
  await http.close();
});

const pod = (uid: string) => ({ namespace, name: "p", uid });
const read = (uid: string) => readPodEvents(http, pod(uid), "base", new AbortController().signal);
const write = (name: string, uid: string, more: JsonObject) =>
  call(http, "POST", `/api/v1/namespaces/${namespace}/events`, {
    metadata: { name },
    involvedObject: { kind: "Pod", apiVersion: "v1", namespace, name: "p", uid, fieldPath: "spec.containers{base}" },
    source: { component: "kubelet" },
    type: "Normal",
    ...more,
  });

test("the newest event of this pod, and when its image came", async () => {
  expect(await read("one")).toEqual({ last: null, image_pulled_at: null });
  await write("a", "one", { reason: "Pulled", message: "Successfully pulled", lastTimestamp: "2026-01-01T00:00:05Z" });
  await write("b", "one", {
    reason: "FailedMount",
    message: "no\n such  volume",
    lastTimestamp: "2026-01-01T00:00:09Z",
  });
  await write("c", "one", { reason: "Scheduled", message: "assigned", firstTimestamp: "2026-01-01T00:00:01Z" });
  await write("d", "another", { reason: "Killing", message: "later", lastTimestamp: "2026-01-01T00:01:00Z" });
  expect(await read("one")).toEqual({
    last: { at: "2026-01-01T00:00:09Z", text: "FailedMount: no such volume" },
    image_pulled_at: "2026-01-01T00:00:05Z",
  });
});
