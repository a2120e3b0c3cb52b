// Interventions in any order, between the moves of schedulers and workers: at every step counters are those of a recount.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TaskDefinition, TRIGGER_RULES } from "../../src/core/definition.ts";
import type { Json } from "../../src/core/json.ts";
import type { OutcomeKind } from "../../src/core/outcome.ts";
import { claimStops } from "../../src/store/attempt-stop.ts";
import {
  act,
  ALONE,
  begin,
  BELOW,
  clear,
  findFaults,
  mappedTasks,
  mark,
  restartAll,
} from "../support/interventions.ts";
import { openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeAll(async () => {
  store = await openStoreBundle();
});
afterAll(() => store.close());

const MOVES = ["settle", "launch", "start", "finish", "restart", "work"] as const;
const ACTS = [
  "clear",
  "clear_index",
  "clear_failed",
  "success",
  "failed",
  "skipped",
  "cancelled",
  "fail_run",
  "succeed_run",
] as const;

describe("interventions in any order", () => {
  const rule = fc.constantFrom(...TRIGGER_RULES);
  const end = fc.constantFrom("success" as const, "task_failed" as const, "skipped" as const);
  const step = fc.oneof(
    fc.record({ do: fc.constantFrom(...MOVES), at: fc.nat(7) }),
    fc.record({ do: fc.constantFrom(...ACTS), at: fc.nat(7) }),
  );

  it("counters are those of a count from scratch, and every run comes to its end", async () => {
    const kind = fc.constantFrom("function" as const, "function" as const, "empty" as const);
    const role = fc.constantFrom(undefined, undefined, "setup" as const, "teardown" as const);
    const node = fc.record({ upstream: fc.array(fc.nat(7), { maxLength: 3 }), rule, kind, end, role });
    await fc.assert(
      fc.asyncProperty(
        fc.array(node, { minLength: 2, maxLength: 8 }),
        fc.array(step, { maxLength: 24 }),
        async (nodes, steps) => {
          const tasks = nodes.map(({ upstream, rule: ofNode, kind: ofTask, role: ofRole }, index) => {
            const before = [...new Set(upstream.filter((other) => other < index))].map((other) => `t${other}`);
            const trigger_rule = ofRole === "teardown" ? "all_done_setup_success" : ofNode;
            return taskOf(`t${index}`, before, { trigger_rule, kind: ofTask, ...(ofRole && { role: ofRole }) });
          });
          await play(tasks, steps, (taskId) => ({ kind: nodes[Number(taskId.slice(1))]?.end ?? "success" }));
        },
      ),
      { numRuns: 30 },
    );
  }, 120_000);

  it("so they are with maps and a mapped group, whose arrays differ each time", async () => {
    const mostly = fc.oneof({ weight: 3, arbitrary: fc.constant("success" as const) }, end);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ weight: 2, arbitrary: fc.constant("all_success" as const) }, rule), {
          minLength: 6,
          maxLength: 6,
        }),
        fc.array(mostly, { minLength: 8, maxLength: 8 }),
        fc.array(fc.nat(3), { minLength: 4, maxLength: 4 }),
        // Most changes meet maps that are expanded, and are worked on before the next.
        fc.array(fc.oneof(step, step, fc.record({ do: fc.constantFrom("work", "clear"), at: fc.nat(7) })), {
          minLength: 6,
          maxLength: 24,
        }),
        fc.nat(4),
        fc.boolean(),
        async (rules, ends, lengths, steps, before, guarded) => {
          let [ended, listed] = [0, 0];
          await play(
            guarded ? guardGroup(mappedTasks(rules)) : mappedTasks(rules),
            [...Array.from({ length: before }, () => ({ do: "work" as const, at: 0 })), ...steps],
            (taskId) => {
              if (taskId !== "rows") return { kind: ends[(ended += 1) % ends.length] ?? "success" };
              const length = lengths[(listed += 1) % lengths.length] ?? 0;
              return { kind: "success", result: Array.from({ length }, (_, index) => index) };
            },
          );
        },
      ),
      { numRuns: 20 },
    );
  }, 120_000);
});

/** The group's first task sets up, its last one tears down. */
function guardGroup(tasks: TaskDefinition[]): TaskDefinition[] {
  return tasks.map((task) => {
    if (task.task_id === "g.a") return { ...task, role: "setup" };
    return task.task_id === "g.b" ? { ...task, role: "teardown", trigger_rule: "all_done_setup_success" } : task;
  });
}

interface Step {
  do: (typeof MOVES)[number] | (typeof ACTS)[number];
  at: number;
}

/** Every step, with a look for faults after each, then all that is left until the run has ended. */
async function play(
  tasks: TaskDefinition[],
  steps: readonly Step[],
  endOf: (taskId: string) => { kind: OutcomeKind; result?: Json },
): Promise<void> {
  const run = await begin(store, tasks);
  const launched: { attempt_id: string }[] = [];
  const started: Awaited<ReturnType<StoreBundle["start"]>>[] = [];
  /** Refused when someone ended it meanwhile. */
  const startIfWanted = async (attemptId: string) => {
    const one = await store.start(attemptId).catch(() => null);
    if (one) started.push(one);
  };
  const finish = async (one: (typeof started)[number]) => {
    const { kind, result } = endOf(one.context.task_id);
    await store.finish(one, kind, result).catch(() => {});
  };
  for (const { do: what, at } of steps) {
    const id = tasks[at % tasks.length]?.task_id ?? "";
    switch (what) {
      case "settle":
        await store.settle();
        break;
      case "launch":
        launched.push(...(await store.launch()));
        break;
      case "start": {
        const next = launched.shift();
        if (next) await startIfWanted(next.attempt_id);
        break;
      }
      case "finish": {
        const next = started.shift();
        if (next) await finish(next);
        break;
      }
      case "restart":
        await restartAll(store);
        break;
      case "work":
        await store.settle();
        launched.push(...(await store.launch()));
        for (const one of launched.splice(0)) await startIfWanted(one.attempt_id);
        for (const one of started.splice(0)) await finish(one);
        await store.settle();
        break;
      case "clear":
        await act(store, run, clear([id], at % 2 === 0 ? BELOW : ALONE));
        break;
      case "clear_index": {
        const one = clear([], at < 4 ? BELOW : ALONE);
        if (one.kind === "clear") one.request.tasks = [{ task_id: id, map_index: at % 2 }];
        await act(store, run, one);
        break;
      }
      case "clear_failed":
        await act(store, run, clear([id], BELOW, { only_failed: true }));
        break;
      case "fail_run":
      case "succeed_run":
        await act(store, run, {
          kind: "mark_run",
          state: what === "fail_run" ? "failed" : "success",
          reason: `${what === "fail_run" ? "cancelled" : "marked success"} by ada`,
        });
        break;
      case "success":
      case "failed":
      case "skipped":
      case "cancelled":
        await act(store, run, mark([id], what));
    }
    expect(await findFaults(store, run)).toEqual([]);
  }
  for (const one of launched) await startIfWanted(one.attempt_id);
  for (const one of started) await finish(one);
  // What was launched and then unwanted ends by its executor, which is not here.
  const claim = { executor: "local", holder: "test", limit: 100, leaseMs: 0 };
  for (const stop of await claimStops(store.db, store.rules, claim, store.now())) {
    await store.finish(stop, "deleted").catch(() => {});
  }
  await restartAll(store);
  await store.workThrough(({ context }) => endOf(context.task_id));
  expect(await findFaults(store, run)).toEqual([]);
  expect(["success", "failed"]).toContain(await store.runState(run.id));
  const { rows } = await store.db.query({ text: "select count(*) from attempt where outcome is null" });
  expect(rows).toEqual([{ count: 0 }]);
}
