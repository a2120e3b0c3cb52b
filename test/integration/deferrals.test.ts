// Tasks that wait without a pod, on a real database; sensors are called in their real sealed children.

import { createServer } from "node:http";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Operator } from "../../src/core/operator.ts";
import { createDeferredLooks } from "../../src/scheduler/resume-deferred.ts";
import { claimDueWaits, recordWaits } from "../../src/store/deferrals.ts";
import { contextOf, lookThrough, saveCode } from "../support/deferred-looks.ts";
import { act, clear, mark } from "../support/interventions.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

const LIMITS = { timeout: null, soft_fail: false };
const wait = (id: string, operator: Operator, upstream: string[] = [], more = {}) =>
  taskOf(id, upstream, { kind: "wait", operator, inputs: {}, ...more });
const sensor = (more = {}): Operator => ({ type: "sensor", every: 30, backoff: false, ...LIMITS, ...more });

async function instance(taskId: string) {
  const { rows } = await store.db.query({
    text: `select t.state, t.reason, t.try_number, r.value, d.due_at, d.looks from task_instance t
      left join task_result r on r.task_instance_id = t.id left join deferral d on d.task_instance_id = t.id
      where t.task_id = $1 order by t.run_id desc limit 1`,
    values: [taskId],
  });
  return rows[0] ?? {};
}

describe("a wait", () => {
  it("for a time takes no slot, and lets its downstream go when the time has come", async () => {
    const after = taskOf("after", ["pause"]);
    await store.save(
      dagOf("d", [taskOf("a"), wait("pause", { type: "wait_for", seconds: 60, ...LIMITS }, ["a"]), after]),
    );
    const run = await store.trigger("d");
    expect((await store.workThrough()).map(({ context }) => context.task_id)).toEqual(["a"]);
    expect(await lookThrough(store)).toBe(1);
    expect(await instance("pause")).toMatchObject({
      state: "deferred",
      try_number: 1,
      reason: "waits until 2026-11-21T08:01:00Z",
      due_at: new Date("2026-11-21T08:01:00Z"),
    });
    expect(await store.launch()).toEqual([]);
    store.pass(59);
    expect(await lookThrough(store)).toBe(0);
    store.pass(1);
    expect(await lookThrough(store)).toBe(1);
    await store.workThrough();
    expect(await store.states(run.id)).toEqual({ a: "success", pause: "success", after: "success" });
    expect(await store.runState(run.id)).toBe("success");
    expect((await store.db.query({ text: "select from deferral" })).rowCount).toBe(0);
  });

  it("until an instant takes it from an upstream's result", async () => {
    const until = { until: { kind: "result" as const, task_id: "a", path: ["at"] } };
    await store.save(
      dagOf("d", [taskOf("a"), wait("until", { type: "wait_until", ...LIMITS }, ["a"], { inputs: until })]),
    );
    await store.trigger("d");
    await store.workThrough(() => ({ kind: "success", result: { at: "2026-11-21T10:00:00+01:00" } }));
    await lookThrough(store);
    expect(await instance("until")).toMatchObject({ state: "deferred", due_at: new Date("2026-11-21T09:00:00Z") });
    store.pass(3_600);
    await lookThrough(store);
    expect(await instance("until")).toMatchObject({ state: "success", value: null });
  });

  it("that was taken out of its wait by a person is forgotten, and can begin again", async () => {
    await store.save(dagOf("d", [wait("pause", { type: "wait_for", seconds: 60, ...LIMITS })]));
    await store.trigger("d");
    await lookThrough(store);
    await store.db.query({
      text: "update task_instance set state = 'failed', end_date = now() where task_id = 'pause'",
    });
    store.pass(60);
    expect(await lookThrough(store)).toBe(0);
    expect((await store.db.query({ text: "select from deferral" })).rowCount).toBe(0);
  });

  it("that begins anew is not ended by a look at the one before", async () => {
    await store.save(dagOf("d", [wait("pause", { type: "wait_for", seconds: 60, ...LIMITS })]));
    const run = { dag_id: "d", ...(await store.trigger("d")) };
    await store.settle();
    const claim = (holder: string) => claimDueWaits(store.db, { holder, limit: 1, leaseMs: 60_000 }, store.now());
    const [late] = await claim("late");
    if (!late) throw new Error("there is a wait");
    store.pass(1);
    await act(store, run, mark(["pause"], "failed"));
    await act(store, run, clear(["pause"]));
    await store.settle();
    const [next] = await claim("next");
    expect(next).toMatchObject({ looks: late.looks, try_number: 2 });
    const outcome = { kind: "success" as const, reason: "", exit_code: null, error: null };
    const ended = [{ wait: late, verdict: { kind: "end" as const, outcome, result: null } }];
    expect(await recordWaits(store.db, store.rules, ended, store.now())).toEqual({ ended: 0 });
    const later = [{ wait: late, verdict: { kind: "wait" as const, due_at: store.now(), reason: "late" } }];
    await recordWaits(store.db, store.rules, later, store.now());
    expect(await instance("pause")).toMatchObject({ state: "deferred", try_number: 2 });
    expect((await claim("another")).length).toBe(0);
  });
});

describe("a run of another DAG", () => {
  const trigger = (more = {}) =>
    wait("call", { type: "trigger_dag", dag_id: "other", wait: true, ...LIMITS }, [], {
      inputs: { conf: { kind: "value", value: { day: "x" } } },
      ...more,
    });

  it("is triggered once however often it is looked at, and its end is seen at once", async () => {
    await store.save(dagOf("other", [taskOf("work")]), "other");
    await store.save(dagOf("d", [trigger()]));
    const run = await store.trigger("d");
    await lookThrough(store);
    store.pass(60);
    await lookThrough(store);
    const { rows } = await store.db.query({
      text: "select dag_run_id, conf, params, triggered_by from dag_run where dag_id = 'other'",
    });
    expect(rows).toEqual([
      {
        dag_run_id: expect.stringMatching(/^triggered__.*__1$/),
        conf: { day: "x" },
        params: { day: "x", checked: true },
        triggered_by: "operator",
      },
    ]);
    await store.workThrough();
    // No time has passed: the run's end made the wait due.
    expect(await lookThrough(store)).toBe(1);
    expect(await instance("call")).toMatchObject({ state: "success", value: { state: "success" } });
    await store.settle();
    expect(await store.runState(run.id)).toBe("success");
  });

  it("that fails fails the task, and its next try triggers another", async () => {
    await store.save(dagOf("other", [taskOf("work")]), "other");
    await store.save(dagOf("d", [trigger({ retries: 1, retry_delay: 10 })]));
    await store.trigger("d");
    await lookThrough(store);
    await store.workThrough(() => ({ kind: "task_failed" }));
    await lookThrough(store);
    expect(await instance("call")).toMatchObject({ state: "deferred", try_number: 2 });
    store.pass(10);
    await lookThrough(store);
    await store.workThrough();
    await lookThrough(store);
    expect(await instance("call")).toMatchObject({ state: "success", try_number: 2 });
    expect((await store.db.query({ text: "select from dag_run where dag_id = 'other'" })).rowCount).toBe(2);
  });

  it("that does not exist fails the task with what is missing", async () => {
    await store.save(dagOf("d", [trigger({ retries: 3 })]));
    await store.trigger("d");
    await lookThrough(store);
    expect(await instance("call")).toMatchObject({ state: "failed", reason: 'there is no DAG "other" to trigger' });
  });

  it("is watched by its id or its logical date, as a whole or by a task", async () => {
    const watch = (id: string, task_id: string | null, name: string, value: string) => {
      const operator: Operator = {
        type: "external_task",
        dag_id: "other",
        task_id,
        every: 30,
        succeeds: ["success"],
        fails: ["failed"],
        ...LIMITS,
      };
      return wait(id, operator, [], { inputs: { [name]: { kind: "value", value } } });
    };
    await store.save(dagOf("other", [taskOf("good"), taskOf("bad")]), "other");
    const other = await store.trigger("other");
    await store.save(
      dagOf("d", [
        watch("run", null, "run_id", other.dag_run_id),
        watch("task", "good", "run_id", other.dag_run_id),
        watch("none", "good", "logical_date", "2026-11-21T08:00:00Z"),
      ]),
    );
    const run = await store.trigger("d");
    await lookThrough(store);
    expect(new Set(Object.values(await store.states(run.id)))).toEqual(new Set(["deferred"]));
    await store.workThrough(({ context }) => ({ kind: context.task_id === "bad" ? "task_failed" : "success" }));
    store.pass(30);
    await lookThrough(store);
    expect(await store.states(run.id)).toEqual({ run: "failed", task: "success", none: "deferred" });
    expect((await instance("none"))["reason"]).toContain("there is none yet");
  });
});

describe("a sensor", () => {
  it("is poked with its inputs until it says yes, over the network and with nothing else", async () => {
    let hits = 0;
    const server = createServer((_, response) => response.end(String((hits += 1))));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    await saveCode(
      store,
      dagOf("d", [
        wait("look", sensor(), [], { inputs: { url: { kind: "value", value: `http://127.0.0.1:${port}` } } }),
      ]),
      {
        functions: {
          look: `async ({ url }, { task_id, signal }) => {
            const tried = [];
            for (const attempt of [() => require("fs").readFileSync("/etc/passwd"), () => require("child_process").spawnSync("id"),
              () => require("fs").writeFileSync("/tmp/windlass-sealed", "x"), () => process.kill(process.ppid, 0)])
              try { attempt(); tried.push("done"); } catch { tried.push("refused"); }
            const hits = Number(await (await fetch(url, { signal })).text());
            return hits < 3 ? false : { done: true, value: { hits, task_id, env: Object.keys(process.env), tried } };
          }`,
        },
      },
    );
    await store.trigger("d");
    await lookThrough(store);
    expect(await instance("look")).toMatchObject({
      state: "deferred",
      reason: "has not seen what it waits for, poked 1 time, again at 2026-11-21T08:00:30Z",
    });
    for (let poke = 0; poke < 2; poke += 1) {
      store.pass(30);
      await lookThrough(store);
    }
    server.close();
    expect(await instance("look")).toMatchObject({
      state: "success",
      value: { hits: 3, task_id: "look", env: [], tried: ["refused", "refused", "refused", "refused"] },
    });
  });

  it("that throws spends a retry, and one that crashes is only its own failure", async () => {
    await saveCode(
      store,
      dagOf("d", [
        wait("throws", sensor(), [], { retries: 1, retry_delay: 5 }),
        wait("gives_up", sensor(), [], { retries: 5 }),
        wait("skips", sensor()),
        wait("eats", sensor()),
        wait("hangs", sensor()),
        wait("good", sensor()),
      ]),
      {
        functions: {
          throws: `() => { throw new TypeError("no such thing"); }`,
          gives_up: `() => { throw Object.assign(new Error("never"), { [Symbol.for("windlass.no_retry")]: true }); }`,
          skips: `() => { throw Object.assign(new Error("nothing to do"), { [Symbol.for("windlass.skip")]: true }); }`,
          eats: `() => { const all = []; for (;;) all.push(new Array(1e6).fill(1)); }`,
          hangs: `() => new Promise(() => {})`,
          good: `() => true`,
        },
      },
    );
    const run = await store.trigger("d");
    await lookThrough(store);
    expect(await instance("throws")).toMatchObject({ state: "deferred", try_number: 2 });
    store.pass(5);
    await lookThrough(store);
    expect(await store.states(run.id)).toEqual({
      throws: "failed",
      gives_up: "failed",
      skips: "skipped",
      eats: "failed",
      hangs: "failed",
      good: "success",
    });
    expect((await instance("throws"))["reason"]).toBe("TypeError: no such thing");
    expect((await instance("eats"))["reason"]).toContain("MiB of memory");
    expect((await instance("hangs"))["reason"]).toContain("never settles");
  });

  it("gives up at its timeout, measured from its first poke, or is skipped softly", async () => {
    const functions = { hard: "() => false", soft: "() => ({ done: false })" };
    const tasks = [
      wait("hard", sensor({ timeout: 40 }), [], { retries: 3 }),
      wait("soft", sensor({ timeout: 40, soft_fail: true })),
    ];
    await saveCode(store, dagOf("d", tasks), { functions });
    const run = await store.trigger("d");
    await lookThrough(store);
    store.pass(30);
    expect(await lookThrough(store)).toBe(2);
    store.pass(9);
    expect(await lookThrough(store)).toBe(0);
    store.pass(1);
    expect(await lookThrough(store)).toBe(2);
    expect(await store.states(run.id)).toEqual({ hard: "failed", soft: "skipped" });
  });

  it("is poked by one scheduler at a time, and by another once a lease has run out", async () => {
    await saveCode(store, dagOf("d", [wait("look", sensor())]), { functions: { look: "() => true" } });
    await store.trigger("d");
    await store.settle();
    const claim = (holder: string) => claimDueWaits(store.db, { holder, limit: 10, leaseMs: 60_000 }, store.now());
    const claims = await Promise.all(["a", "b", "c", "d"].map(claim));
    const [first] = claims.flat();
    expect(claims.flat()).toHaveLength(1);
    if (!first) throw new Error("nobody has claimed it");
    store.pass(60);
    const [second] = await claim("z");
    expect(second?.looks).toBe(2);
    const done = { kind: "success" as const, reason: "", exit_code: null, error: null };
    const verdict = { kind: "end" as const, outcome: done, result: "stale" };
    expect(await recordWaits(store.db, store.rules, [{ wait: first, verdict }], store.now())).toEqual({ ended: 0 });
    if (!second) throw new Error("nobody has claimed it again");
    expect(
      await recordWaits(store.db, store.rules, [{ wait: second, verdict: { ...verdict, result: "new" } }], store.now()),
    ).toEqual({ ended: 1 });
    expect(await instance("look")).toMatchObject({ state: "success", value: "new" });
  });

  it("whose end is written down again, because nobody said that it was, spends one try", async () => {
    await saveCode(store, dagOf("d", [wait("look", sensor(), [], { retries: 3 })]), {});
    await store.trigger("d");
    await store.settle();
    const [claimed] = await claimDueWaits(store.db, { holder: "a", limit: 1, leaseMs: 60_000 }, store.now());
    if (!claimed) throw new Error("there is a wait");
    const outcome = { kind: "task_failed" as const, reason: "no", exit_code: null, error: null };
    const records = [{ wait: claimed, verdict: { kind: "end" as const, outcome, result: null } }];
    await recordWaits(store.db, store.rules, records, store.now());
    await recordWaits(store.db, store.rules, records, store.now());
    expect(await instance("look")).toMatchObject({ state: "deferred", try_number: 2 });
  });

  it("whose scheduler stops in a poke is left for others, at once", async () => {
    await saveCode(store, dagOf("d", [wait("look", sensor())]), {
      functions: { look: "() => new Promise((done) => setTimeout(done, 50_000, true))" },
    });
    await store.trigger("d");
    await store.settle();
    const looks = createDeferredLooks(contextOf(store), () => {});
    expect((await looks.runOnce()).counts).toEqual({ claimed: 1, recorded: 0 });
    await looks.drain();
    expect(await instance("look")).toMatchObject({ state: "deferred", looks: 1 });
    expect(await claimDueWaits(store.db, { holder: "z", limit: 10, leaseMs: 60_000 }, store.now())).toHaveLength(1);
  });
});
