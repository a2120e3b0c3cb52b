// A scheduler with another cluster beside its own: whole schedulers on a real store, and two API servers in this process, both
// with the namespace "default". What a kubelet would write is written by the test.

import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TaskDefinition } from "../../src/core/definition.ts";
import { createKubernetesExecutor } from "../../src/executors/kubernetes-executor.ts";
import { createKubernetesHttp, type KubernetesHttp } from "../../src/kubernetes/http.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { createScheduler, type Scheduler } from "../../src/scheduler/scheduler.ts";
import { requestStops } from "../../src/store/attempt-stop.ts";
import { createLedger } from "../../src/store/ledger.ts";
import { createSealer } from "../../src/store/sealing.ts";
import { quiet, setStatus, terminated } from "../support/api-server.ts";
import { type FakeApiServer, startFakeApiServer, writeFakeKubeconfig } from "../support/fake-api-server.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

/** A busy machine is slow, and nothing here is about how fast it is. */
const SOON = { timeout: 15_000 };
const RELIST_MS = 300;
const INSTALLATION = randomUUID();

let store: StoreBundle;
let home: FakeApiServer;
let remote: FakeApiServer;
let schedulers: Scheduler[];
let connections: KubernetesHttp[];

beforeEach(async () => {
  [store, home, remote] = await Promise.all([openStoreBundle(), startFakeApiServer(), startFakeApiServer()]);
  // Its schedulers have the machine's clock.
  store.pass((Date.now() - store.now().getTime()) / 1000);
  schedulers = [];
  connections = [];
});
afterEach(async () => {
  await Promise.all([home.close(), remote.close()]);
  await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
  await Promise.all(connections.map((http) => http.close()));
  await store.close();
});

async function makeExecutor(server: FakeApiServer, clusterName: string | null, launchConcurrency: number) {
  return createKubernetesExecutor({
    cluster: { kubeconfigPath: await writeFakeKubeconfig(server) },
    clusterName,
    namespaces: ["default"],
    defaultNamespace: "default",
    image: "registry.example/windlass:1",
    apiUrl: clusterName === null ? "http://windlass-api:8080" : null,
    template: null,
    installationId: INSTALLATION,
    holder: randomUUID(),
    ledger: createLedger(store.db, store.rules, systemClock),
    clock: systemClock,
    log: quiet,
    launchConcurrency,
    relistIntervalMs: RELIST_MS,
  });
}

async function startScheduler(clusters: Record<string, FakeApiServer>, launchConcurrency = 4, parallelism = 100) {
  const remotes = Object.entries(clusters).map(([name, server]) => makeExecutor(server, name, launchConcurrency));
  const scheduler = createScheduler({
    db: store.db,
    executor: await makeExecutor(home, null, launchConcurrency),
    remotes: await Promise.all(remotes),
    rules: store.rules,
    clock: systemClock,
    log: quiet,
    holder: `scheduler-${randomUUID()}`,
    hostname: "test",
    newId: randomUUID,
    sealer: createSealer([]),
    checkParams: (_dag, conf) => conf,
    issueLaunchToken: async () => "a token",
    issueResultToken: async () => "a result token",
    limits: { parallelism, launch: 600, overdue: { image: 60, configuration: 60, start: 600, heartbeat: 30 } },
  });
  schedulers.push(scheduler);
  await scheduler.start();
  return scheduler;
}

function podTask(taskId: string, cluster?: string, resultFile?: string): TaskDefinition {
  const container = {
    image: "python:3.12-slim",
    cmds: ["python"],
    arguments: null,
    env: {},
    get_logs: false,
    skip_on_exit_codes: [],
    ...(resultFile === undefined ? {} : { result_file: resultFile }),
    ...(cluster === undefined ? {} : { cluster }),
  };
  return taskOf(taskId, [], { kind: "pod", container });
}

async function trigger(...tasks: TaskDefinition[]): Promise<number> {
  await store.save(dagOf("d", tasks), randomUUID());
  return (await store.trigger("d")).id;
}

const podsOf = (server: FakeApiServer) =>
  server.objects.list("pods", "default").map((pod) => {
    const metadata = pod["metadata"] as { name: string; uid: string; annotations: Record<string, string> };
    return { ...metadata, task: metadata.annotations["windlass.dev/task-id"] };
  });

/** Ends all pods that are there. */
async function end(server: FakeApiServer, message: string) {
  const credentials = { server: server.url, tls: {}, headers: {} };
  const http = createKubernetesHttp({
    credentials: { current: async () => credentials, renew: async () => credentials },
    clock: systemClock,
    maxConnections: 2,
  });
  connections.push(http);
  for (const { name } of podsOf(server)) await setStatus(http, "default", name, terminated(0, { message }));
}

const statesOf = (runId: number) => () => store.states(runId);
async function attemptsOf() {
  const { rows } = await store.db.query<{ executor: string; state: string; id: string; reason: string | null }>({
    text: `select a.executor, a.state, a.id, coalesce(a.outcome_reason, a.waiting_reason) as reason from attempt a
      join task_instance t on t.id = a.task_instance_id order by t.task_id, a.epoch`,
  });
  return rows;
}

test.each(["another server", "the same server"])(
  "pods go where their tasks say, on %s, and neither sweeps the other's",
  async (where) => {
    const elsewhere = where === "another server" ? remote : home;
    const runId = await trigger(podTask("a"), podTask("b", "gpu"));
    await startScheduler({ gpu: elsewhere });
    const taskIds = (server: FakeApiServer) => podsOf(server).map(({ task }) => task);
    if (elsewhere === home) await expect.poll(() => new Set(taskIds(home)), SOON).toEqual(new Set(["a", "b"]));
    else {
      await expect.poll(() => taskIds(home), SOON).toEqual(["a"]);
      await expect.poll(() => taskIds(remote), SOON).toEqual(["b"]);
    }
    // Each list sweeps what is nobody's.
    const lists = () => (home.counts()["list"] ?? 0) + (remote.counts()["list"] ?? 0);
    const before = lists();
    await expect.poll(lists, SOON).toBeGreaterThan(before + 4);
    expect(podsOf(home).length + podsOf(remote).length).toBe(2);
    await end(home, '{"from":"home"}');
    if (elsewhere !== home) await end(remote, '{"from":"gpu"}');
    await expect.poll(statesOf(runId), SOON).toEqual({ a: "success", b: "success" });
    await expect.poll(() => [...podsOf(home), ...podsOf(remote)], SOON).toEqual([]);
    const { rows } = await store.db.query({
      text: "select t.task_id, r.value from task_result r join task_instance t on t.id = r.task_instance_id order by 1",
    });
    expect(rows).toEqual([
      { task_id: "a", value: { from: "home" } },
      { task_id: "b", value: { from: elsewhere === home ? "home" : "gpu" } },
    ]);
    expect((await attemptsOf()).map(({ executor }) => executor)).toEqual(["kubernetes", "kubernetes:gpu"]);
  },
);

test(
  "a cluster that does not answer holds up neither the start nor anything at home",
  { timeout: 40_000 },
  async () => {
    await trigger(podTask("early", "gpu"));
    await startScheduler({ gpu: remote }, 2, 12);
    await expect.poll(() => podsOf(remote).length, SOON).toBe(1);
    // Its removal hangs from now on, with the pass that asked for it.
    remote.intercept = ({ verb }) => (verb === "delete" ? "answered" : "pass");
    await end(remote, "null");
    await expect.poll(() => remote.counts()["delete"], SOON).toBe(1);
    // Its pods, that is: reviews of permissions, which hung, would keep the creates from being sent.
    remote.intercept = ({ resource }) => (resource.startsWith("pods") ? "answered" : "pass");
    // They come first, and fill the parallelism of their cluster, which is not that of the others.
    const away = Array.from({ length: 12 }, (_, index) => ({
      ...podTask(`away_${index}`, "gpu"),
      priority_weight: 10,
    }));
    const runId = await trigger(...away, ...["a", "b", "c", "d", "e", "f"].map((id) => podTask(id)));
    await startScheduler({ gpu: remote }, 2, 12);
    // All of the remote cluster's places are taken by launches that hang, and home launches more than it has at once.
    await expect.poll(() => podsOf(home).length, SOON).toBe(6);
    await expect.poll(() => remote.counts()["create"], SOON).toBe(1 + 2 * 2);
    await end(home, "null");
    await expect.poll(async () => (await store.states(runId))["f"], SOON).toBe("success");
    await expect.poll(() => podsOf(home), SOON).toEqual([]);
    expect(remote.counts()).toMatchObject({ create: 5, delete: 1 });
    const states = await store.states(runId);
    expect(away.map(({ task_id }) => states[task_id])).toEqual(away.map(() => "queued"));
    // Nor the stop, for more than the 10 seconds that launches and removals may take to end: their deadlines are further away.
    const began = performance.now();
    await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
    expect(performance.now() - began).toBeLessThan(15_000);
    expect((await attemptsOf()).filter(({ state }) => state === "launching")).toEqual([]);
  },
);

test("a cluster that nobody has configured refuses its tasks, by name and setting", async () => {
  const runId = await trigger(podTask("a"), podTask("b", "gpx"), podTask("c", "gpu", "/windlass/result.json"));
  await startScheduler({ gpu: remote });
  await expect.poll(statesOf(runId), SOON).toMatchObject({ b: "failed", c: "failed" });
  expect(await attemptsOf()).toMatchObject([
    { executor: "kubernetes" },
    {
      executor: "kubernetes:gpx",
      reason: 'no scheduler has the cluster "gpx" in its configuration; add it to the file of WINDLASS_CLUSTERS',
    },
    { executor: "kubernetes:gpu", reason: expect.stringMatching(/cluster "gpu" cannot deliver.*has no apiUrl/) },
  ]);
  expect(podsOf(remote)).toEqual([]);
});

test("pods of a cluster whose entry is gone are left alone, and go on with it when it is back", async () => {
  const runId = await trigger(podTask("a", "gpu"), podTask("b", "gpu"));
  const first = await startScheduler({ gpu: remote });
  await expect.poll(() => podsOf(remote).length, SOON).toBe(2);
  const launched = async () => (await attemptsOf()).map(({ state }) => state);
  await expect.poll(launched, SOON).toEqual(["launched", "launched"]);
  await first.stop();

  const without = await startScheduler({});
  const [stopped] = await attemptsOf();
  await store.db.transaction((tx) =>
    requestStops(tx, store.rules, [{ attempt_id: stopped?.id ?? "", is_queued: false, reason: "enough" }], new Date()),
  );
  await expect.poll(() => home.counts()["watch"] ?? 0, SOON).toBeGreaterThan(0);
  expect(await launched()).toEqual(["launched", "launched"]);
  expect(podsOf(remote)).toHaveLength(2);
  await without.stop();

  await startScheduler({ gpu: remote });
  await expect.poll(() => podsOf(remote).map(({ task }) => task), SOON).toEqual(["b"]);
  await end(remote, "null");
  await expect.poll(statesOf(runId), SOON).toEqual({ a: "failed", b: "success" });
});

test("a cluster that is gone for good is got rid of by an entry that points at another", async () => {
  const runId = await trigger(podTask("a", "gpu"));
  const first = await startScheduler({ gpu: remote });
  await expect.poll(() => podsOf(remote).length, SOON).toBe(1);
  await expect.poll(async () => (await attemptsOf())[0]?.state, SOON).toBe("launched");
  await first.stop();
  await startScheduler({ gpu: home });
  await expect.poll(async () => (await attemptsOf())[0]?.reason, SOON).toMatch(/pod|vanished|deleted/);
  // The cluster's fault: tried again, where the name points now.
  await expect.poll(() => podsOf(home).length, SOON).toBe(1);
  await end(home, "null");
  await expect.poll(statesOf(runId), SOON).toEqual({ a: "success" });
});
