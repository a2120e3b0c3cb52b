// Callbacks and deadlines on a real database, called in their real sealed children.

import { once } from "node:events";
import { createServer } from "node:http";
import { afterEach, beforeEach, expect, it } from "vitest";
import { callAgainIn, type CallbackContext } from "../../src/core/callback.ts";
import type { DagDefinition, TaskDefinition } from "../../src/core/definition.ts";
import { type AttemptRunner, runInProcess } from "../../src/dags/run-in-process.ts";
import { createVirtualClock } from "../../src/lifecycle/virtual-clock.ts";
import type { LeasedWork } from "../../src/scheduler/leased-work.ts";
import { createCallbackCalls } from "../../src/scheduler/run-callbacks.ts";
import { listRunCallbacks } from "../../src/store/callbacks.ts";
import { contextOf, lookThrough, saveCode } from "../support/deferred-looks.ts";
import { dagOf, openStoreBundle, outcomeOf, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
let told: unknown[];
let url: string;
let close: () => void;
beforeEach(async () => {
  store = await openStoreBundle();
  told = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      told.push(JSON.parse(Buffer.concat(chunks).toString()));
      response.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
  close = () => server.close();
});
afterEach(async () => {
  close();
  await store.close();
});

/** Calls everything that is due until nothing more is. */
async function callThrough(): Promise<void> {
  for (;;) {
    const calls = createCallbackCalls(contextOf(store), () => {});
    const { counts } = await calls.runOnce();
    await calls.finish();
    if (counts["claimed"] === 0) return;
  }
}

/** Callbacks that post what they are told. */
const save = async (tasks: TaskDefinition[], more: Partial<DagDefinition>, functions: Record<string, string> = {}) => {
  const keys = tasks.flatMap((task) => (task.callbacks ?? []).map((event) => `${task.task_id}:${event}`));
  keys.push(...(more.callbacks ?? []).map((event) => `:${event}`));
  const post = `async (context, { signal }) => { await fetch(${JSON.stringify(url)}, { method: "POST", body: JSON.stringify(context), signal }); }`;
  const callbacks = Object.fromEntries(keys.map((key) => [key, functions[key] ?? post]));
  const definition = dagOf("d", tasks, more);
  await saveCode(store, definition, { callbacks, functions });
  return definition;
};

const list = async (run: { dag_run_id: string }) =>
  (await listRunCallbacks(store.db, "d", run.dag_run_id)).map(({ task_id, event, state, tries }) => [
    task_id,
    event,
    state,
    tries,
  ]);

it("are called about what happened to tasks and to the run, and are kept with their ends", async () => {
  const definition = await save(
    [
      taskOf("good", [], { callbacks: ["success", "failure"] }),
      taskOf("bad", [], { callbacks: ["success", "failure", "retry"], retries: 1 }),
      taskOf("none", [], { callbacks: ["skip"] }),
      taskOf("quiet"),
      taskOf("after", ["bad"], { callbacks: ["failure", "skip"] }),
    ],
    { callbacks: ["success", "failure"] },
  );
  const run = await store.trigger("d");
  const endOf = (taskId: string) =>
    ({ kind: taskId === "bad" ? "task_failed" : taskId === "none" ? "skipped" : "success" }) as const;
  await store.workThrough(({ context }) => endOf(context.task_id));
  expect(await store.runState(run.id)).toBe("failed");
  await callThrough();
  const contexts = told.map((context) => context as CallbackContext);
  const events = contexts.map(({ task_id, event, try_number }) => `${task_id} ${event} ${try_number}`);
  expect(events.toSorted()).toEqual([
    "bad failure 2",
    "bad retry 1",
    "good success 1",
    "none skip 1",
    "null failure null",
  ]);
  expect(told).toContainEqual(
    expect.objectContaining({
      task_id: null,
      event: "failure",
      run_state: "failed",
      dag_id: "d",
      run_id: run.dag_run_id,
      reason: "failed because of after",
    }),
  );
  expect((await list(run)).map(([, , state, tries]) => [state, tries])).toEqual(
    Array.from({ length: 5 }, () => ["success", 1]),
  );

  const inMemory: CallbackContext[] = [];
  const runAttempt: AttemptRunner = async ({ task_id }) => ({ outcome: outcomeOf(endOf(task_id).kind), result: null });
  const clock = createVirtualClock(new Date());
  await runInProcess({ definition }, {}, runAttempt, clock, { onCallback: (context) => inMemory.push(context) });
  // Of another run, and told as it goes on.
  const own = {
    run_id: "",
    run_state: "",
    state: "",
    logical_date: "",
    data_interval_start: "",
    data_interval_end: "",
    run_after: "",
  };
  const inCommon = (all: readonly CallbackContext[]) =>
    new Set(
      all.map((each) => JSON.stringify(Object.entries({ ...each, ...own }).toSorted(([a], [b]) => a.localeCompare(b)))),
    );
  expect(inCommon(inMemory)).toEqual(inCommon(contexts));
});

it("are told in their author's terms that files are out of reach", async () => {
  const code = `() => process.getBuiltinModule("node:fs").readFileSync("/etc/hostname")`;
  await save([taskOf("a", [], { callbacks: ["success"] })], {}, { "a:success": code });
  const run = await store.trigger("d");
  await store.workThrough();
  await callThrough();
  const [row] = await listRunCallbacks(store.db, "d", run.dag_run_id);
  expect(row?.error).toMatch(
    /^Error: files and other processes are out of reach of sensors and callbacks; use a task\n/,
  );
});

it.for([
  ["holds itself", "() => { const value = {}; value.self = value; return value; }"],
  ["is large", '() => "x".repeat(1_000_000)'],
] as const)("may return what %s", async ([, code]) => {
  await save([taskOf("a", [], { callbacks: ["success"] })], {}, { "a:success": code });
  const run = await store.trigger("d");
  await store.workThrough();
  await callThrough();
  expect(await list(run)).toEqual([["a", "success", "success", 1]]);
});

it("hear nothing of the cluster's faults, which spend no try", async () => {
  await save([taskOf("a", [], { callbacks: ["retry", "failure"] })], {});
  const run = await store.trigger("d");
  await store.workThrough(() => ({ kind: "evicted" }));
  expect(await list(run)).toEqual([]);
});

it("that fail are called again within a budget, and change nothing", async () => {
  await save(
    [taskOf("a", [], { callbacks: ["success"] })],
    {},
    { "a:success": `() => { throw new Error("no mail today"); }` },
  );
  const run = await store.trigger("d");
  await store.workThrough();
  const waits: number[] = [];
  for (let tries = 1; ; tries += 1) {
    await callThrough();
    const [row] = await listRunCallbacks(store.db, "d", run.dag_run_id);
    expect(row).toMatchObject({ tries, error: expect.stringContaining("no mail today") });
    const wait = callAgainIn(tries);
    if (wait === null) break;
    waits.push(wait);
    store.pass(wait);
  }
  expect(waits).toEqual([10, 40, 160, 640]);
  expect(await list(run)).toEqual([["a", "success", "failed", 5]]);
  expect(await store.runState(run.id)).toBe("success");
  store.pass(86_400);
  await callThrough();
  expect(await list(run)).toEqual([["a", "success", "failed", 5]]);
});

it.each<[string, (calls: LeasedWork) => unknown]>([
  ["was stopped", (calls) => calls.drain()],
  ["died", () => store.pass(60)],
])("are called again by another scheduler when one %s in the call", async (_, end) => {
  await save([taskOf("a", [], { callbacks: ["success"] })], {});
  await store.trigger("d");
  await store.workThrough();
  const calls = createCallbackCalls(contextOf(store), () => {});
  await calls.runOnce();
  await end(calls);
  await callThrough();
  expect(told.length).toBeGreaterThanOrEqual(1);
  const { rows } = await store.db.query({ text: "select state, tries from callback" });
  expect(rows).toEqual([{ state: "success", tries: 2 }]);
});

it("hear of waits too", async () => {
  const operator = { type: "sensor" as const, every: 30, backoff: false, timeout: null, soft_fail: false };
  const look = taskOf("look", [], {
    kind: "wait",
    operator,
    callbacks: ["retry", "failure", "success"],
    retries: 1,
    retry_delay: 5,
  });
  await save([look], {}, { look: `() => { throw new Error("x"); }` });
  const run = await store.trigger("d");
  await lookThrough(store);
  store.pass(5);
  await lookThrough(store);
  expect(await list(run)).toEqual([
    ["look", "retry", "pending", 0],
    ["look", "failure", "pending", 0],
  ]);
  const rows = await listRunCallbacks(store.db, "d", run.dag_run_id);
  expect(rows.map(({ try_number }) => try_number)).toEqual([1, 2]);
});

it.each([
  ["queued", 60],
  ["started", 60],
  ["logical_date", 60],
] as const)("tell of a deadline from %s that is missed, once, and not of one that is kept", async (from, after) => {
  const late = { callbacks: ["deadline" as const], deadline: { after, from } };
  await save([taskOf("a")], late);
  const run = await store.trigger("d");
  await store.settle();
  await callThrough();
  expect(told).toEqual([]);
  store.pass(after);
  await callThrough();
  expect(told).toEqual([
    expect.objectContaining({
      event: "deadline",
      run_state: "running",
      reason: `the run did not end within ${after} s of ${from}`,
    }),
  ]);
  await store.workThrough();
  const second = await store.trigger("d");
  await store.workThrough();
  expect(await list(second)).toEqual([[null, "deadline", "cancelled", 0]]);
  store.pass(after);
  await callThrough();
  expect(told).toHaveLength(1);
  expect(await list(run)).toEqual([[null, "deadline", "success", 1]]);
});
