import { expect, test } from "vitest";
import { answer, startScriptedApiServer } from "../../test/support/scripted-api-server.ts";
import { AT, container, ended } from "../../test/support/pod-snapshots.ts";
import type { Observation } from "../core/observation.ts";
import type { CredentialsSource } from "../kubernetes/credentials.ts";
import { createKubernetesHttp } from "../kubernetes/http.ts";
import { ANNOTATIONS } from "../kubernetes/pod-labels.ts";
import type { PodView } from "../kubernetes/pod-view.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { createLogger } from "../lifecycle/log.ts";
import { UNMONITORED } from "./kubernetes-monitor.ts";
import { createPodObserver } from "./kubernetes-observe.ts";

const ATTEMPT = "0b7e3cbd-4a43-4f9f-8a34-8a8b4f2f6f10";

/** Every pod is running, so nothing is asked of the server. */
const refuseCall = () => Promise.reject(new Error("no call is expected"));

function podOf(name: string, attempt: string, epoch: string): PodView {
  return {
    namespace: "default",
    name,
    uid: `uid-${name}`,
    resource_version: "7",
    labels: {},
    annotations: { [ANNOTATIONS.attempt]: attempt, [ANNOTATIONS.epoch]: epoch },
    created_at: null,
    deleting: false,
    snapshot: {
      phase: "Running",
      reason: null,
      message: null,
      node_name: null,
      deletion_requested_at: null,
      scheduling_gates: [],
      conditions: [],
      containers: [],
    },
  };
}

function observe(credentials: CredentialsSource = { current: refuseCall, renew: refuseCall }) {
  const batches: { observations: Observation[]; position: object | null }[] = [];
  const observer = createPodObserver({
    ledger: {
      record: async (batch) => void batches.push(batch),
      loadPosition: async () => null,
      listExpected: async () => [],
      acquireLease: async () => null,
      releaseLease: async () => {},
    },
    lease: { name: "watch", holder: "me", token: "1" },
    http: createKubernetesHttp({
      credentials,
      clock: systemClock,
      maxConnections: 1,
    }),
    log: createLogger("silent"),
    executor: "kubernetes",
    namespace: "default",
    defaultNamespace: "default",
    positionKey: "key",
    signal: new AbortController().signal,
    monitor: UNMONITORED,
  });
  return { batches, observer };
}

test("pods whose marks no attempt can have are passed over, and the watch goes on", async () => {
  const { batches, observer } = observe();
  const pods = [
    podOf("a", "not-a-uuid", "1"),
    podOf("b", ATTEMPT, "99999999999"),
    podOf("c", ATTEMPT, "0x10"),
    podOf("d", ATTEMPT, ""),
    podOf("e", ATTEMPT, "2"),
  ];
  await observer.applyChanges(
    pods.map((pod) => ({ type: "ADDED" as const, pod })),
    "8",
  );
  expect(batches).toMatchObject([
    { observations: [{ attempt_id: ATTEMPT, epoch: 2, pod_uid: "uid-e" }], position: { resource_version: "8" } },
  ]);
});

test.each([
  ["a worker's, whose report counts", undefined, 0, { outcome: { kind: "exited_silently" }, container: null }],
  ["a container's success and result", "", 0, { outcome: { kind: "success" }, container: { result: { rows: 3 } } }],
  ["a container's skip", "98,99", 99, { outcome: { kind: "skipped", exit_code: 99 } }],
  ["a container's failure", "98,99", 75, { outcome: { kind: "task_failed", exit_code: 75 } }],
])("the end of a pod is %s", async (_, skipOn, exitCode, expected) => {
  const { batches, observer } = observe();
  const made = podOf("a", ATTEMPT, "2");
  if (skipOn !== undefined) made.annotations[ANNOTATIONS.skipOnExitCodes] = skipOn;
  made.snapshot.containers = [container(ended(exitCode, { message: '{"rows":3}' }))];
  const last = { ...made, resource_version: "8" };
  await observer.applyChanges([{ type: "MODIFIED", pod: made }], "7");
  await observer.applyChanges([{ type: "DELETED", pod: last }], "8");
  expect(batches.map(({ observations }) => observations)).toMatchObject([
    [{ ...expected, container_started_at: AT(10), process_ended: true, gone: false }],
    [{ ...expected, container_started_at: AT(10), process_ended: true, gone: true }],
  ]);
});

test("a pod that is not there is gone when Kubernetes says so, and not when a proxy has no such page", async () => {
  const text = JSON.stringify({ kind: "Status", code: 404, reason: "NotFound", message: 'pods "a" not found' });
  const server = await startScriptedApiServer({
    lists: [answer(404, "<h1>404 page not found</h1>"), answer(404, text)],
  });
  try {
    const current = async () => ({ server: server.url, tls: {}, headers: {} });
    const { batches, observer } = observe({ current, renew: current });
    const gone = async () => observer.applyChanges([{ type: "DELETED", pod: podOf("a", ATTEMPT, "2") }], "8");
    await expect(gone()).rejects.toMatchObject({ code: 404, reason: "Foreign" });
    expect(batches).toEqual([]);
    await gone();
    expect(batches).toMatchObject([{ observations: [{ gone: true }] }]);
  } finally {
    await server.close();
  }
});

test.each([
  ["a container's, whose result it is", "", "task_failed"],
  ["a worker's, for which it is nothing", undefined, "exited_silently"],
])("a message that was cut is %s", async (_, skipOn, kind) => {
  const { batches, observer } = observe();
  const made = podOf("a", ATTEMPT, "2");
  if (skipOn !== undefined) made.annotations[ANNOTATIONS.skipOnExitCodes] = skipOn;
  made.snapshot.containers = [container(ended(0, { message: "x".repeat(4_096) }))];
  await observer.applyChanges([{ type: "MODIFIED", pod: made }], "7");
  await observer.applyChanges([{ type: "DELETED", pod: { ...made, resource_version: "8" } }], "8");
  expect(batches.map(({ observations }) => observations[0]?.outcome?.kind)).toEqual([kind, kind]);
});

test("an event that comes again, or is older than the list, is passed over", async () => {
  const { batches, observer } = observe();
  const pod = { ...podOf("a", ATTEMPT, "2"), resource_version: "18446744073709551616" };
  await observer.applyList(
    (async function* () {
      yield { pods: [pod], resource_version: "18446744073709551620" };
    })(),
  );
  batches.length = 0;
  const older = { ...pod, resource_version: "9" };
  const newer = { ...pod, resource_version: "18446744073709551621" };
  for (const each of [pod, older, newer, newer, pod]) {
    await observer.applyChanges([{ type: "MODIFIED", pod: each }], "18446744073709551621");
  }
  expect(batches.map(({ observations }) => observations.length)).toEqual([0, 0, 1, 0, 0]);
});
