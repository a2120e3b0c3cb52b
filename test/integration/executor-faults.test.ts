// The Kubernetes executor while the API server does what it should not: nothing is lost, and little is asked.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ServerResponse } from "node:http";
import type { WatchState } from "../../src/executors/kubernetes-watch.ts";
import { type Clock, systemClock } from "../../src/lifecycle/clock.ts";
import { createLogger } from "../../src/lifecycle/log.ts";
import { LABELS } from "../../src/kubernetes/pod-labels.ts";
import { objectAt, textsAt } from "../../src/kubernetes/read-json.ts";
import { makeOrder, running, terminated } from "../support/api-server.ts";
import { createFastClock } from "../support/fast-clock.ts";
import type { Interception } from "../support/fake-api-server.ts";
import { type FakeRig, openFakeRig } from "../support/fake-executor.ts";

const SPEED = 20;
let rig: FakeRig;
beforeEach(async () => {
  rig = await openFakeRig(createFastClock(SPEED));
});
afterEach(() => rig.close());

/** A busy machine is slow, and nothing here is about how fast it is. */
const SOON = { timeout: 15_000 };
const watching: WatchState = { kind: "watching" };
/** Starts an executor and waits until it watches. */
async function watch(executor: ReturnType<FakeRig["makeExecutor"]>) {
  await executor.start();
  await expect.poll(() => rig.server.levers.open.size, SOON).toBeGreaterThan(0);
  expect(executor.watchStates()["default"]).toEqual(watching);
}
const seen = (uid: string | null, fits: "ended" | "gone") =>
  rig.ledger.wait(fits, (each) => each.pod_uid === uid && (fits === "gone" ? each.gone : each.outcome !== null));

describe("a position that the server has forgotten", () => {
  test.each(["event", "answer"] as const)("costs no task, told as an %s", async (expiredAs) => {
    rig.server.levers.expiredAs = expiredAs;
    const errors: string[] = [];
    const executor = rig.makeExecutor({ log: noteErrors(errors) });
    await watch(executor);
    const [left, right] = [await rig.launch(executor), await rig.launch(executor)];
    rig.server.levers.silent = true;
    await rig.setStatus(left.pod_name, terminated(3));
    await rig.http.call({
      method: "DELETE",
      path: `/api/v1/namespaces/default/pods/${right.pod_name}`,
      verb: "delete",
      resource: "pods",
      namespace: "default",
    });
    rig.server.objects.forgetHistory();
    rig.server.levers.silent = false;
    const began = performance.now();
    for (const response of rig.server.levers.open) response.socket?.resetAndDestroy();
    expect(await seen(left.pod_uid, "ended")).toMatchObject({ outcome: { kind: "task_failed", exit_code: 3 } });
    expect(await seen(right.pod_uid, "gone")).toMatchObject({ outcome: { kind: "lost" } });
    // One pause after the broken connection, one after the refusal: at most 0.8 s and 1.6 s of this clock.
    expect((performance.now() - began) * SPEED).toBeLessThan(60_000);
    expect(rig.server.counts()["list"]).toBe(2);
    expect(executor.watchStates()["default"]?.kind).not.toBe("degraded");
    expect(errors).toEqual([]);
  });
});

/** A log of whose lines the errors are kept, those of its children too. */
function noteErrors(errors: string[]) {
  const log = createLogger("silent");
  const noting = Object.assign(Object.create(log) as typeof log, {
    error: (_: object, text: string) => errors.push(text),
    child: () => noting,
  });
  return noting;
}

test("a watch that says nothing of pods for long is made good by the periodic list", async () => {
  const executor = rig.makeExecutor({ relistIntervalMs: 30_000 });
  await watch(executor);
  const done = await rig.launch(executor);
  rig.server.levers.silent = true;
  await rig.setStatus(done.pod_name, terminated(0));
  expect(await seen(done.pod_uid, "ended")).toMatchObject({ outcome: { kind: "exited_silently" } });
  // What ended unseen is removed as any other, and its going is seen by the next list.
  expect(await executor.remove(done)).toBe("going");
  await seen(done.pod_uid, "gone");
});

test("a watch without a byte for longer than bookmarks take is started anew, without a list", async () => {
  // Its two and a half minutes, sooner.
  await rig.close();
  rig = await openFakeRig(createFastClock(100));
  const executor = rig.makeExecutor();
  await watch(executor);
  rig.server.levers.silent = true;
  rig.server.levers.bookmarkMs = 10 ** 9;
  await expect.poll(() => rig.server.counts()["watch"], SOON).toBe(2);
  rig.server.levers.silent = false;
  const pod = await rig.launch(executor);
  await rig.ledger.wait("the pod", (each) => each.pod_uid === pod.pod_uid);
  expect(rig.server.counts()["list"]).toBe(1);
});

test("three schedulers patch nothing, and one watches", async () => {
  const executors = [rig.makeExecutor(), rig.makeExecutor(), rig.makeExecutor()];
  for (const executor of executors) await executor.start();
  const pods = await Promise.all(executors.flatMap((one) => Array.from({ length: 20 }, () => rig.launch(one))));
  for (const pod of pods) await rig.setStatus(pod.pod_name, running);
  const first = executors.find((one) => one.watchStates()["default"]?.kind === "watching");
  await first?.stop();
  const patched = rig.server.counts()["patch"] ?? 0;
  for (const pod of pods) await rig.setStatus(pod.pod_name, terminated(0));
  await Promise.all(pods.map((pod) => seen(pod.pod_uid, "ended")));
  expect(patched).toBe(0);
  expect(rig.server.counts()).toMatchObject({ create: 60, "patch pods/status": 120 });
  expect(rig.server.counts()["patch"]).toBeUndefined();
  expect(rig.server.counts()["get"]).toBeUndefined();
});

test("schedulers roll under 100 running pods: none is patched, deleted or ended", async () => {
  const namespaces = ["default", "etl"];
  rig.server.objects.create({ resource: "namespaces", namespace: null, name: "etl" }, {});
  const executors = [rig.makeExecutor({ namespaces }), rig.makeExecutor({ namespaces })];
  for (const executor of executors) await executor.start();
  const pods = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      rig.launch(executors[index % 2] ?? rig.makeExecutor(), makeOrder(namespaces[index % 2] ?? "")),
    ),
  );
  for (const { namespace, pod_name: name } of pods) {
    rig.server.objects.patch({ resource: "pods", namespace, name }, "status", { status: running });
  }
  for (const executor of executors) {
    await rig.makeExecutor({ namespaces }).start();
    await executor.stop();
    await expect.poll(() => rig.server.levers.open.size, SOON).toBe(2);
  }
  expect(rig.server.counts()).toMatchObject({ create: 100 });
  for (const verb of ["patch", "delete", "get"]) expect(rig.server.counts()[verb]).toBeUndefined();
  expect(rig.ledger.observations.filter((each) => each.outcome !== null || each.gone)).toEqual([]);
});

test("a pod that a finalizer holds is gone once it is let go, also when nobody watched its deletion", async () => {
  const pod = await rig.launch(rig.makeExecutor());
  const place = { resource: "pods", namespace: "default", name: pod.pod_name };
  rig.server.objects.patch(place, null, { metadata: { finalizers: ["example.com/hold"] } });
  rig.server.objects.remove(place, null, 0);
  await watch(rig.makeExecutor());
  await rig.ledger.wait("the pod", (each) => each.pod_uid === pod.pod_uid);
  expect(rig.ledger.observations.filter((each) => each.gone)).toEqual([]);
  rig.server.objects.patch(place, null, { metadata: { finalizers: null } });
  expect(await seen(pod.pod_uid, "gone")).toMatchObject({ outcome: { kind: "deleted" } });
});

test("a removal that meets another uid, or nothing, is done", async () => {
  const executor = rig.makeExecutor();
  const pod = await rig.launch(executor);
  const stale = { ...pod, pod_uid: "another" };
  expect(await executor.remove(stale)).toBe("gone");
  expect(rig.server.objects.list("pods", "default")).toHaveLength(1);
  expect(await executor.remove(pod)).toBe("going");
  expect(await executor.remove(pod)).toBe("gone");
});

describe("an answer of a proxy in between, and not of Kubernetes,", () => {
  test.each([400, 403, 404, 409])("with %i says nothing of a pod", async (code) => {
    const executor = rig.makeExecutor();
    await watch(executor);
    const pod = await rig.launch(executor);
    await rig.setStatus(pod.pod_name, running);
    await rig.ledger.wait("the pod", (each) => each.container_started_at !== null);
    let answers = 0;
    rig.server.intercept = ({ verb, resource }, response) => {
      if (resource !== "pods" || !["create", "get", "delete"].includes(verb)) return "pass";
      answers += 1;
      response.writeHead(code, { "content-type": "text/html" }).end("<h1>default backend</h1>");
      return "answered";
    };
    expect(await executor.launch(makeOrder("default"))).toMatchObject({ kind: "retry" });
    await expect(executor.remove(pod)).rejects.toMatchObject({ code });
    // Out of sight, and so asked for.
    const place = { resource: "pods", namespace: "default", name: pod.pod_name };
    const labels = textsAt(objectAt(rig.server.objects.list("pods", "default")[0], "metadata"), "labels");
    rig.server.objects.patch(place, null, { metadata: { labels: { [LABELS.installation]: null } } });
    await expect.poll(() => answers, SOON).toBeGreaterThan(2);
    rig.server.intercept = () => "pass";
    rig.server.objects.patch(place, null, { metadata: { labels } });
    await rig.setStatus(pod.pod_name, terminated(0));
    expect(await seen(pod.pod_uid, "ended")).toMatchObject({ outcome: { kind: "exited_silently" } });
    expect(rig.ledger.observations.filter((each) => each.gone)).toEqual([]);
  });
});

test.each<[string, Interception]>([
  ["never came", "answered"],
  ["took effect", "lose"],
])("a patch that keeps a pod, and is not answered because it %s, is repeated", async (_, fault) => {
  const executor = rig.makeExecutor();
  const pod = await rig.launch(executor);
  await rig.setStatus(pod.pod_name, terminated(0));
  let patches = 0;
  rig.server.intercept = ({ verb, resource }) =>
    verb === "patch" && resource === "pods" && (patches += 1) === 1 ? fault : "pass";
  const began = performance.now();
  await expect(executor.keep?.(pod)).rejects.toMatchObject({ uncertain: true });
  expect((performance.now() - began) * SPEED).toBeLessThan(30_000);
  expect(await executor.keep?.(pod)).toBe("kept");
  expect(patches).toBe(2);
  const [kept, ...others] = rig.server.objects.list("pods", "default");
  expect(others).toEqual([]);
  const labels = textsAt(objectAt(kept, "metadata"), "labels");
  expect({ by: LABELS.keptBy in labels, of: LABELS.installation in labels }).toEqual({ by: true, of: false });
});

test("a reconcile lists once for each namespace, however many attempts are open", async () => {
  const namespaces = ["default", "etl", "reports"];
  for (const name of namespaces.slice(1)) {
    rig.server.objects.create({ resource: "namespaces", namespace: null, name }, {});
  }
  const launcher = rig.makeExecutor({ namespaces });
  await Promise.all(
    Array.from({ length: 300 }, (_, index) => rig.launch(launcher, makeOrder(namespaces[index % 3] ?? ""))),
  );
  await rig.makeExecutor({ namespaces }).start();
  await expect.poll(() => rig.server.counts()["watch"], SOON).toBe(3);
  expect(rig.server.counts()).toMatchObject({ list: 3, create: 300 });
  expect(rig.server.counts()["get"]).toBeUndefined();
  expect(new Set(rig.ledger.observations.map((each) => each.attempt_id)).size).toBe(300);
});

test("a Pending pod that is deleted is known to be gone at once", async () => {
  const executor = rig.makeExecutor();
  await watch(executor);
  const pod = await rig.launch(executor);
  const began = performance.now();
  await rig.http.call({
    method: "DELETE",
    path: `/api/v1/namespaces/default/pods/${pod.pod_name}`,
    verb: "delete",
    resource: "pods",
    namespace: "default",
  });
  expect(await seen(pod.pod_uid, "gone")).toMatchObject({ outcome: { kind: "deleted" } });
  expect(performance.now() - began).toBeLessThan(5_000);
});

describe("a create", () => {
  const creates = () => rig.server.requests.filter(({ verb }) => verb === "create").length;
  test.each<[string, (nth: number, response: ServerResponse) => "pass" | "answered" | "lose"]>([
    ["whose answer is lost", (nth) => (nth === 1 ? "lose" : "pass")],
    ["that hangs", (nth) => (nth === 1 ? "answered" : "pass")],
    [
      "that meets another at the quota's object",
      (nth, response) => {
        if (nth > 2) return "pass";
        const message = 'Operation cannot be fulfilled on resourcequotas "q": the object has been modified';
        response.writeHead(409).end(JSON.stringify({ kind: "Status", code: 409, reason: "Conflict", message }));
        return "answered";
      },
    ],
    [
      "whose webhook does not answer",
      (nth, response) => {
        if (nth > 1) return "pass";
        const message = "failed calling webhook: context deadline exceeded";
        response.writeHead(500).end(JSON.stringify({ kind: "Status", code: 500, reason: "InternalError", message }));
        return "answered";
      },
    ],
  ])("%s is repeated, and makes one pod", async (_, fault) => {
    rig.server.intercept = ({ verb, resource }, response) =>
      verb === "create" && resource === "pods" ? fault(creates(), response) : "pass";
    const executor = rig.makeExecutor();
    const pod = await rig.launch(executor);
    expect(creates()).toBeGreaterThan(1);
    expect(rig.server.objects.list("pods", "default")).toHaveLength(1);
    expect(pod.pod_uid).toBe(
      (rig.server.objects.list("pods", "default")[0]?.["metadata"] as { uid: string } | undefined)?.uid,
    );
  });
});

test("a wall clock that jumps by an hour, back or forth, moves nothing", async () => {
  let skewMs = 0;
  const fast = createFastClock(SPEED);
  const clock: Clock = { ...fast, now: () => new Date(systemClock.now().getTime() + skewMs) };
  const executor = rig.makeExecutor({ clock });
  await watch(executor);
  for (const jump of [3_600_000, -3_600_000]) {
    skewMs = jump;
    const pod = await rig.launch(executor);
    await rig.setStatus(pod.pod_name, terminated(1));
    await seen(pod.pod_uid, "ended");
  }
  expect(rig.server.counts()).toMatchObject({ list: 1, watch: 1 });
  expect(rig.ledger.observations.filter((each) => each.gone)).toEqual([]);
});

test("a quota that is used up is asked once a second, however many wait, and the reason is shown", async () => {
  const executor = rig.makeExecutor();
  const quota = (pods: string) => ({ status: { hard: { pods } } });
  const place = { resource: "resourcequotas", namespace: "default", name: "small" };
  rig.server.objects.create(place, quota("0"));
  const orders = Array.from({ length: 50 }, () => makeOrder("default"));
  expect(await executor.launch(makeOrder("default"))).toMatchObject({ kind: "retry" });
  const clock = createFastClock(SPEED);
  const began = clock.monotonic();
  const before = rig.server.counts()["create"] ?? 0;
  while (clock.monotonic() - began < 10_000) {
    const results = await Promise.all(orders.map((order) => executor.launch(order)));
    for (const result of results) {
      expect(result).toMatchObject({ kind: "retry", reason: expect.stringContaining("exceeded quota: small") });
    }
  }
  const seconds = (clock.monotonic() - began) / 1_000;
  expect((rig.server.counts()["create"] ?? 0) - before).toBeLessThanOrEqual(seconds + 1);
  rig.server.objects.patch(place, "status", quota("100"));
  const launchAll = async () =>
    (await Promise.all(orders.map((order) => executor.launch(order)))).every(({ kind }) => kind === "launched");
  await expect.poll(launchAll, SOON).toBe(true);
});
