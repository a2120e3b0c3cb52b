// Tasks of images of the author's as pods, through the scheduler's own passes, a real store and the fake API server: what
// people and the cluster do to them, and their logs.

import { afterEach, beforeEach, expect, test } from "vitest";
import type { LaunchOrder } from "../../src/executors/executor.ts";
import { cleanFinished } from "../../src/scheduler/clean-finished.ts";
import { followLogs } from "../../src/scheduler/follow-logs.ts";
import { createLauncher } from "../../src/scheduler/launch-queued.ts";
import { stopAttempts } from "../../src/scheduler/stop-attempts.ts";
import { createPostgresObjects } from "../../src/store/postgres-objects.ts";
import { LOG_START, readTryLog } from "../../src/store/try-log.ts";
import { running, terminated } from "../support/api-server.ts";
import type { Interception } from "../support/fake-api-server.ts";
import { act, clear, mark } from "../support/interventions.ts";
import { openPassesRig, type PassesRig } from "../support/passes-rig.ts";

const SOON = { timeout: 15_000 };
const container = { image: "x", cmds: null, arguments: null, env: {}, get_logs: true, skip_on_exit_codes: [] };

let passes: PassesRig;
let { rig, bundle, executor, begin, pods, query } = {} as PassesRig;
beforeEach(async () => {
  passes = await openPassesRig();
  ({ rig, bundle, executor, begin, pods, query } = passes);
  await executor.start();
});
afterEach(() => passes.close());

type Attempt = Pick<LaunchOrder, "attempt_id" | "pod_name">;

/** The newest attempt, once it is launched. */
async function launch(): Promise<Attempt> {
  await bundle.store.settle();
  const launcher = createLauncher(bundle.context, () => {});
  await launcher.runOnce();
  await launcher.drain();
  const [attempt] = await query<Attempt>("select id as attempt_id, pod_name from attempt order by epoch desc limit 1");
  if (!attempt) throw new Error("nothing was launched");
  return attempt;
}
const stateOf = async () => (await query<{ state: string }>("select state from task_instance"))[0]?.state;
const expectState = async (state: string) => {
  await expect.poll(stateOf, SOON).toBe(state);
};

/** A pod on a node, whose container runs. */
async function run(): Promise<Attempt> {
  await begin(1, { kind: "pod", container });
  const attempt = await launch();
  rig.server.objects.patch({ resource: "pods", namespace: "default", name: attempt.pod_name }, null, {
    spec: { nodeName: "n" },
  });
  await rig.setStatus(attempt.pod_name, running);
  await expectState("running");
  return attempt;
}
const theRun = async () => {
  const [row] = await query<{ id: number; dag_run_id: string }>("select id, dag_run_id from dag_run");
  if (!row) throw new Error("there is a run");
  return { ...row, dag_id: "d" };
};
async function logOf(): Promise<string[]> {
  const { db } = bundle.store;
  const [row] = await query<{ id: string }>("select id from task_instance");
  const lines = await readTryLog(db, createPostgresObjects(db), row?.id ?? "", 1, LOG_START, 10_000);
  return lines.map(({ event }) => event);
}
/** What a kubelet does when its pod is to go. */
const letGo = (name: string) => rig.server.objects.remove({ resource: "pods", namespace: "default", name }, null, 0);
const deletions = () => rig.server.counts()["delete"] ?? 0;

test.each([
  ["marked as failed", mark(["t0"], "failed"), "failed"],
  ["marked as succeeded", mark(["t0"], "success"), "success"],
  ["cleared", clear(["t0"]), "restarting"],
])("a container that runs while its task is %s leaves no pod", async (_, intervention, state) => {
  const { pod_name } = await run();
  await act(bundle.store, await theRun(), intervention);
  await stopAttempts(bundle.context);
  expect(deletions()).toBe(1);
  expect(await stateOf()).toBe(state);
  letGo(pod_name);
  await expect.poll(() => query("select 1 from attempt where outcome = 'cancelled'"), SOON).toHaveLength(1);
  bundle.store.pass(60);
  await cleanFinished(bundle.context);
  expect(pods()).toEqual([]);
  expect(await query("select 1 from attempt where cleaned_at is null")).toEqual([]);
});

test("a success that was seen stays one, whatever becomes of the pod", async () => {
  const { pod_name } = await run();
  await rig.setStatus(pod_name, terminated(0, { message: '{"rows":3}' }));
  await expectState("success");
  letGo(pod_name);
  // The log is asked for and answered with 404, as the removal of the pod is.
  await expect
    .poll(
      async () => (await cleanFinished(bundle.context), query("select 1 from attempt where cleaned_at is null")),
      SOON,
    )
    .toEqual([]);
  expect(
    await query("select state, value from task_instance i join task_result r on r.task_instance_id = i.id"),
  ).toEqual([{ state: "success", value: { rows: 3 } }]);
});

test("an end and the pod's going that come together are the end", async () => {
  const { pod_name } = await run();
  rig.server.levers.silent = true;
  await rig.setStatus(pod_name, terminated(0));
  letGo(pod_name);
  // Told at once, in one piece: what the pod was when it went is what its deletion says.
  rig.server.levers.silent = false;
  for (const response of rig.server.levers.open) response.socket?.resetAndDestroy();
  await expectState("success");
});

test("a node that stops answering ends nothing, and a person may: the attempt is over when its pod is gone", async () => {
  const { pod_name } = await run();
  await rig.setStatus(pod_name, { ...running, phase: "Unknown", reason: "NodeLost" });
  await act(bundle.store, await theRun(), mark(["t0"], "failed"));
  await stopAttempts(bundle.context);
  expect(await query("select 1 from attempt where outcome is not null")).toEqual([]);
  letGo(pod_name);
  await expect.poll(() => query("select 1 from attempt where outcome is not null"), SOON).toHaveLength(1);
});

test("a node that stops reporting is told of while the container runs, and no longer once it is back", async () => {
  const { pod_name } = await run();
  const reason = async () => (await query<{ waiting_reason: string | null }>("select waiting_reason from attempt"))[0];
  const ready = (status: "True" | "False") => ({ ...running, conditions: [{ type: "Ready", status }] });
  await rig.setStatus(pod_name, ready("False"));
  const said = expect.stringMatching(/does not report/) as string;
  await expect.poll(reason, SOON).toEqual({ waiting_reason: said });
  await rig.setStatus(pod_name, ready("True"));
  await expect.poll(reason, SOON).toEqual({ waiting_reason: null });
});

test("a log that is idle for five hours, and a server that is away meanwhile, lose no line and change no state", async () => {
  const { context, store } = bundle;
  const { pod_name } = await run();
  const at = (second: number) =>
    `2026-01-01T0${Math.floor(second / 3_600)}:00:${String(second % 60).padStart(2, "0")}.000000001Z`;
  const write = (second: number, text: string) =>
    rig.server.logs.set(pod_name, `${rig.server.logs.get(pod_name) ?? ""}${at(second)} ${text}\n`);
  const read = async () => {
    const { dueInMs } = await followLogs(context);
    store.pass(Math.max(1, (dueInMs ?? 0) / 1_000));
  };
  write(1, "before");
  await read();
  expect(await logOf()).toEqual(["before"]);
  const began = store.now().getTime();
  let reads = 0;
  for (; store.now().getTime() - began < 5 * 3_600_000; reads += 1) {
    // The server restarts, again and again: connections break, and calls are refused for minutes.
    const away = reads % 100 < 5;
    rig.server.intercept = async ({ resource }, response): Promise<Interception> => {
      if (!away || resource !== "pods/log") return "pass";
      response.socket?.resetAndDestroy();
      return "answered";
    };
    await read();
  }
  expect(reads).toBeGreaterThan(500);
  expect(await stateOf()).toBe("running");
  rig.server.intercept = () => "pass";
  write(5 * 3_600, "after");
  await read();
  await read();
  expect(await logOf()).toEqual(["before", "after"]);
  write(5 * 3_600 + 1, "last");
  await rig.setStatus(pod_name, terminated(0));
  await expectState("success");
  await expect.poll(async () => (await cleanFinished(context), deletions()), SOON).toBe(1);
  expect((await logOf()).slice(0, 3)).toEqual(["before", "after", "last"]);
}, 60_000);
