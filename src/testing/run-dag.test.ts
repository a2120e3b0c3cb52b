// runDag as an author's test uses it: imports are those of an author.

import { expect, expectTypeOf, onTestFinished, test, vi } from "vitest";
import {
  approval,
  asset,
  bash,
  branch,
  dag,
  empty,
  failWithoutRetry,
  kubernetesPod,
  sensor,
  shortCircuit,
  skip,
  task,
  triggerDag,
  waitFor,
  waitForEvent,
} from "windlass";
import { callCallback, evict, fail, runDag, type RunDagOptions, stub, takes, timeOut } from "windlass/testing";
import * as z from "zod";

const extract = task("extract", { retries: 2, retryDelay: "5m" }, async ({ day }: { day: string }) => ({
  day,
  rows: 7,
}));
const load = task(
  "load",
  { retries: 1, retryDelay: "1h", executionTimeout: "10m" },
  ({ rows }: { rows: number }) => rows * 2,
);
const report = task("report", { triggerRule: "all_done" }, ({ rows }: { rows: number | null }) => `${rows}`);
const sales = dag(
  "sales",
  { params: z.object({ day: z.iso.date().default("2026-01-31") }), schedule: "@daily" },
  ({ params }) => {
    const extracted = extract({ day: params.day });
    report({ rows: load({ rows: extracted.get("rows") }) });
  },
);

test("tasks are called for real, with params and defaults", async () => {
  const run = await runDag(sales, { params: { day: "2026-02-01" } });
  expect(run).toMatchObject({ state: "success", seconds: 0 });
  expect(run.states).toEqual({ extract: "success", load: "success", report: "success" });
  expect(run.task("extract")).toMatchObject({ inputs: { day: "2026-02-01" }, result: { rows: 7 }, try_number: 1 });
  expect((await runDag(sales)).task(extract).inputs).toEqual({ day: "2026-01-31" });
  await expect(runDag(sales, { params: { day: "today" } })).rejects.toMatchObject({ code: "invalid_params" });
});

test("a stub takes the place of the function, and both are typed by the task", async () => {
  const run = await runDag(sales, { with: [stub(extract, { day: "", rows: 3 }), stub(load, ({ rows }) => rows + 1)] });
  expect(run.task(load)).toMatchObject({ inputs: { rows: 3 }, result: 4 });
  expectTypeOf(run.task(load).result).toEqualTypeOf<number | null>();
  expectTypeOf(run.task(extract).inputs).toEqualTypeOf<{ day: string } | null>();
  // @ts-expect-error a result that the task cannot have
  stub(extract, { day: "", row: 3 });
  // @ts-expect-error a function of other inputs
  stub(load, ({ row }) => row);
  expect((await runDag(sales, { with: [stub("load", 5)] })).task("report").result).toBe("5");
});

test("failures spend retries, their delays pass on the clock, and the last one stays", async () => {
  const run = await runDag(sales, { with: [fail(extract, [1, 2])] });
  expect(run.state).toBe("success");
  expect(run.task("extract")).toMatchObject({ try_number: 3, error: null });
  expect(run.task("extract").attempts.map(({ outcome, started_at }) => [outcome, started_at])).toEqual([
    ["task_failed", 0],
    ["task_failed", 300],
    ["success", 600],
  ]);
  expect(run.seconds).toBe(600);

  const broken = await runDag(sales, { with: [fail("load", [1, 2], { error: new TypeError("no rows") })] });
  expect(broken.states).toEqual({ extract: "success", load: "failed", report: "success" });
  expect(broken.task("load").error).toContain("TypeError: no rows");
  expect(broken.task("report").inputs).toEqual({ rows: null });
});

test("ends are told as a worker's are: one sentence, the error's name, and why there was no retry", async () => {
  const brittle = task(
    "brittle",
    { retries: 2, noRetryOn: ["RangeError"], executionTimeout: 1, onFailure: () => {} },
    () => {
      throw new RangeError("one\ntwo", { cause: new Error("below") });
    },
  );
  const brittles = dag("brittles", {}, () => void brittle());
  const run = await runDag(brittles);
  const reason = "RangeError: one (not tried again: noRetryOn names RangeError)";
  expect(run.callbacks).toMatchObject([{ reason, error: null }]);
  expect(run.task(brittle).attempts).toMatchObject([{ reason: "RangeError: one" }]);
  expect(run.task(brittle).error).toContain(`${reason}\nRangeError: one\ntwo\n    at`);
  expect(run.task(brittle).error).toContain("Caused by: Error: below");
  const odd = await runDag(brittles, { with: [stub(brittle, () => Promise.reject("text"))] });
  expect(odd.task(brittle).attempts[0]?.reason).toBe("NotAnError: text");
});

test("an error that wants no retry gets none, and a skip is one", async () => {
  const final = await runDag(sales, { with: [fail(extract, 1, { error: failWithoutRetry("gone") })] });
  expect(final.task(extract)).toMatchObject({ state: "failed", try_number: 1 });
  expect(final.states).toMatchObject({ load: "upstream_failed" });
  const skipped = await runDag(sales, { with: [fail(extract, 1, { error: skip("nothing new") })] });
  expect(skipped.states).toEqual({ extract: "skipped", load: "skipped", report: "success" });
});

test("the cluster's faults spend no retry until their own budget is spent", async () => {
  const run = await runDag(sales, { with: [evict(extract, 1), evict(extract, 2, { fault: "out_of_memory" })] });
  expect(run.task("extract")).toMatchObject({ state: "success", try_number: 1 });
  expect(run.task("extract").attempts.map(({ outcome, started_at }) => [outcome, started_at])).toEqual([
    ["evicted", 0],
    ["out_of_memory", 1],
    ["success", 6],
  ]);
  const spent = await runDag(sales, { with: [evict("load", [1, 2, 3, 4])] });
  expect(spent.task(load)).toMatchObject({ state: "failed", try_number: 1 });
});

test("attempts that take time, and ones that take too long", async () => {
  const run = await runDag(sales, { with: [takes(extract, "2m"), timeOut(load), takes(report, 30)] });
  expect(run.task("load").attempts).toMatchObject([
    { outcome: "timed_out", started_at: 120, ended_at: 720 },
    { outcome: "success", started_at: 4_320, ended_at: 4_320 },
  ]);
  expect(run.seconds).toBe(4_350);
  const slow = await runDag(sales, { with: [takes("load", "11m")] });
  expect(slow.task("load").attempts.map(({ outcome }) => outcome)).toEqual(["timed_out", "timed_out"]);
});

test("what is wrong in the test itself is an error that says what to do", async () => {
  await expect(runDag(sales, { with: [stub("lod", 1)] })).rejects.toThrow(
    'DAG "sales" has no task "lod", but extract, load, report',
  );
  await expect(runDag(sales, { with: [timeOut("extract")] })).rejects.toThrow("it has no executionTimeout");
  await expect(runDag(sales, { at: "yesterday" })).rejects.toThrow('at is "yesterday"');
  // Whose midnight?
  await expect(runDag(sales, { at: "2026-01-01T00:00:00" })).rejects.toThrow('at is "2026-01-01T00:00:00"');
  await expect(runDag(sales, { params: { day: 3n as never } })).rejects.toThrow("params cannot travel as JSON");
  const { gone } = {} as { gone: typeof sales };
  await expect(runDag(gone)).rejects.toThrow("runDag was given undefined in the place of a DAG");
  await expect(callCallback(extract as never, "failure")).rejects.toThrow("callCallback was given");
  expect(() => fail("load", 0)).toThrow("attempts are counted from 1 on");
  const run = await runDag(sales);
  expect(() => run.task("lod")).toThrow('the run has no task "lod", but extract, load, report');
});

test("the run's facts, variables, connections and files", async () => {
  const read = task(
    "read",
    { variables: ["bucket"], connections: ["warehouse"] },
    async (_: {}, { variables, connections, artifacts, logical_date }) => {
      const text = `${variables.bucket} ${connections.warehouse.host}:${connections.warehouse.port} ${logical_date}`;
      return artifacts.write("note.txt", text);
    },
  );
  const noted = dag("noted", {}, () => void read());
  const given = { variables: { bucket: "reports" }, connections: { warehouse: { host: "db" } } };
  const run = await runDag(noted, { ...given, at: "2026-03-01T06:00:00Z" });
  const { result } = run.task(read);
  expect(result && (await run.artifacts.text(result))).toBe("reports db:null 2026-03-01T06:00:00.000Z");
  const without = await runDag(noted);
  expect(without.task("read").error).toContain("give it to runDag as variables or connections");
});

test("sensors, branches and commands are given what they declare, and nothing else", async () => {
  const declared = { variables: ["token"], connections: ["shop"] } as const;
  const names = ({ variables, connections }: { variables: object; connections: object }) =>
    [...Object.keys(variables), ...Object.keys(connections)].join();
  const look = sensor("look", declared, (_, runtime) => ({ done: true, value: names(runtime) }));
  const pick = branch("pick", declared, (_, runtime) => (names(runtime) === "token,shop" ? "right" : "wrong"));
  const say = bash("say", {
    ...declared,
    command: 'echo "$TOKEN $HOST"',
    env: ({ variables, connections }) => ({ TOKEN: variables.token, HOST: connections.shop.host }),
  });
  const checked = dag("checked", {}, () => {
    look();
    pick().to({ right: say(), wrong: empty("wrong")() });
  });
  const environment = { PATH: process.env["PATH"] ?? "" };
  const secrets = { variables: { token: "t", other: "o" }, connections: { shop: { host: "h" }, lake: {} } };
  const run = await runDag(checked, { ...secrets, environment });
  expect(run.states).toEqual({ look: "success", pick: "success", say: "success", wrong: "skipped" });
  expect([run.task(look).result, run.task(say).result]).toEqual(["token,shop", "t h"]);
  const without = await runDag(checked, { variables: secrets.variables });
  expect(without.task("look").error).toContain('there is no connection "shop"');
});

test("instances of a map: found by their index, stubbed by their inputs, failed one by one", async () => {
  const square = task("square", { retries: 1, retryDelay: 10 }, ({ n }: { n: number }) => n * n);
  const sum = task("sum", ({ parts }: { parts: number[] }) => parts.reduce((total, each) => total + each, 0));
  const squares = dag("squares", {}, () => void sum({ parts: square.map({ n: [1, 2, 3] }) }));
  const run = await runDag(squares, { with: [fail(square, 1, { mapIndex: 1 })] });
  expect(run.task(sum).result).toBe(14);
  expect(run.instances(square).map(({ try_number, result }) => [try_number, result])).toEqual([
    [1, 1],
    [2, 4],
    [1, 9],
  ]);
  expect(run.task(square, 2).inputs).toEqual({ n: 3 });
  expect(() => run.task(square)).toThrow('task "square" has 3 instances: name one, as in task("square", 0)');
});

test("an image needs a stub", async () => {
  const image = kubernetesPod<{ rows: number }>("image", { image: "busybox" });
  const pods = dag("pods", {}, () => void load({ rows: image().get("rows") }));
  await expect(runDag(pods)).rejects.toThrow('task "image" runs the image busybox, which needs a cluster');
  expect((await runDag(pods, { with: [stub(image, { rows: 4 })] })).task(load).result).toBe(8);
});

const there = sensor("there", { every: "1m", timeout: "1h", softFail: true }, ({ n }: { n: number }) => n > 0);
const ask = approval("ask", { options: ["ship", "hold"], rejects: ["hold"] });
const order = waitForEvent("order", { schema: z.object({ id: z.string() }) });
const call = triggerDag("call", { dagId: "other", wait: true });
const show = task("show", ({ id, option }: { id: string; option: string }) => `${id} ${option}`);
const waiting = dag("waiting", { params: z.object({ n: z.int().default(1) }) }, ({ params }) => {
  there({ n: params.n }).before(waitFor("pause", "2h")());
  call().before(show({ id: order().get("id"), option: ask().get("option") }));
});

test("waits pass on the clock, and what comes from outside is given", async () => {
  const outside = { answers: { ask: "ship" }, events: { order: { id: "a1" } } };
  const run = await runDag(waiting, outside);
  expect(run.states).toEqual({
    there: "success",
    pause: "success",
    call: "success",
    order: "success",
    ask: "success",
    show: "success",
  });
  expect(run.task(show).result).toBe("a1 ship");
  expect(run.seconds).toBe(7_200);

  const never = await runDag(waiting, { ...outside, params: { n: 0 } });
  expect(never.task("there")).toMatchObject({ state: "skipped", attempts: [{ ended_at: 3_600 }] });
  const inVain = await runDag(waiting, {
    ...outside,
    with: [timeOut(there), stub(call, { dag_run_id: "x", state: "success" })],
  });
  expect(inVain.task("there").state).toBe("skipped");
  expect((await runDag(waiting, { ...outside, answers: { ask: "hold" } })).states).toMatchObject({
    ask: "skipped",
    show: "skipped",
  });
});

test("a sensor's timeout counts across its tries, as do its looks", async () => {
  let pokes = 0;
  const flaky = sensor("flaky", { every: "10m", timeout: "1h", retries: 9, retryDelay: "10m" }, () => {
    pokes += 1;
    if (pokes % 2 === 0) throw new Error("gone");
    return false;
  });
  const run = await runDag(dag("d", {}, () => void flaky()));
  expect(run.task(flaky)).toMatchObject({ state: "failed", try_number: 4 });
  expect(run.seconds).toBe(3_600);
});

test("a run's timeout ends what is under way, and nothing goes on", async () => {
  const called: string[] = [];
  const first = task("first", () => void called.push("first"));
  const slow = task("slow", () => void called.push("slow"));
  const last = task("last", () => void called.push("last"));
  const short = dag("short", { runTimeout: "1h" }, () => {
    const middle = slow();
    first().before(middle);
    middle.before(last());
  });
  const run = await runDag(short, { with: [takes(first, "20m"), takes(slow, "41m")] });
  expect(run).toMatchObject({
    state: "failed",
    reason: "failed because it took longer than its run timeout of 3600 s",
    seconds: 3_600,
    states: { first: "success", slow: "skipped", last: "skipped" },
  });
  expect(run.task(slow).attempts).toEqual([
    {
      try_number: 1,
      outcome: "cancelled",
      reason: "skipped because its run took longer than its timeout",
      started_at: 1_200,
      ended_at: 3_600,
    },
  ]);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(called).toEqual(["first"]);
  expect((await runDag(short, { with: [takes(slow, "59m")] })).state).toBe("success");
});

test("nobody waits for ever in a test", async () => {
  await expect(runDag(waiting, { events: { order: { id: "a1" } } })).rejects.toThrow(
    'give runDag answers: { "ask": … }',
  );
  await expect(runDag(waiting, { answers: { ask: "ship" } })).rejects.toThrow('give runDag events: { "order": … }');
});

test("what cannot come from outside is the test's mistake", async () => {
  const refusals: [RunDagOptions, string][] = [
    [{ answers: { show: "ship" } }, 'an answer is given for "show"; tasks that wait for one: ask'],
    [{ answers: { ask: "sink" } }, 'nobody can answer "sink" to task "ask": choose one of ship, hold'],
    [{ events: { order: { number: 1 } } }, 'does not fit the schema of task "order": payload.id: is missing'],
    [{ events: { order: "a1" } }, 'the event of task "order" is "a1"; give an object'],
    [{ assetEvents: [{ asset: "order" }] }, 'assetEvents names "order"; assets that DAG "waiting" waits for: none'],
  ];
  for (const [options, message] of refusals) {
    await expect(runDag(waiting, options)).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining(message),
    });
  }
});

test("branches, short circuits and commands", async () => {
  const pick = branch("pick", ({ word }: { word: string | null }) => (word === "big" ? "big" : "small"));
  const open = shortCircuit("open", ({ on }: { on: boolean }) => on);
  const say = bash("say", { command: "echo $WORD" });
  const decided = dag("decided", { params: z.object({ word: z.string(), on: z.boolean() }) }, ({ params }) => {
    pick({ word: say({ env: { WORD: params.word } }) }).to({ big: empty("bulk")(), small: empty("single")() });
    open({ on: params.on }).before(empty("behind")());
  });
  const run = await runDag(decided, { params: { word: "big", on: false } });
  expect(run.states).toEqual({
    say: "success",
    pick: "success",
    bulk: "success",
    single: "skipped",
    open: "success",
    behind: "skipped",
  });
});

test("events of assets: those that started the run, and those of its tasks' outlets", async () => {
  const [orders, rates] = [asset("orders"), asset("rates")];
  const produce = task("produce", { outlets: [orders, rates] }, (_: {}, { assets, asset_events }) => {
    assets.emit(orders, { rows: asset_events.length });
  });
  const produced = dag("produced", { schedule: orders }, () => void produce());
  const run = await runDag(produced, { assetEvents: [{ asset: "orders", extra: { rows: 3 } }] });
  expect(run.task(produce).events).toEqual([
    { asset: "orders", extra: { rows: 1 } },
    { asset: "rates", extra: {} },
  ]);
  expect((await runDag(produced, { with: [fail(produce)] })).task(produce).events).toEqual([]);
});

test("a test's own fake timers do not hold the run up", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  expect((await runDag(sales, { with: [fail(extract, 1)] })).seconds).toBe(300);
});
