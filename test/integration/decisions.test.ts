// Branches and short circuits on a real database: who is skipped, and that it stays so.

import { afterEach, beforeEach, expect, it } from "vitest";
import type { Json } from "../../src/core/json.ts";
import type { Operator } from "../../src/core/operator.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

const branching: Operator = { type: "branch", choices: { big: ["big"], small: ["small"] } };
const tasks = (operator: Operator) => [
  taskOf("pick", [], { operator }),
  taskOf("big", ["pick"]),
  taskOf("small", ["pick"]),
  taskOf("after_small", ["small"]),
  taskOf("join", ["big", "small"], { trigger_rule: "none_failed_min_one_success" }),
];

async function run(operator: Operator, value: Json) {
  await store.save(dagOf("d", tasks(operator)));
  const made = await store.trigger("d");
  const worked = await store.workThrough(({ context }) => ({
    kind: "success",
    result: context.task_id === "pick" ? value : null,
  }));
  return { id: made.id, worked: worked.map(({ context }) => context.task_id) };
}

it("skips what a branch did not choose, and what follows it", async () => {
  const { id, worked } = await run(branching, "big");
  expect(worked).toEqual(["pick", "big", "join"]);
  expect(await store.states(id)).toEqual({
    pick: "success",
    big: "success",
    small: "skipped",
    after_small: "skipped",
    join: "success",
  });
  expect(await store.runState(id)).toBe("success");
  const { rows } = await store.db.query({ text: "select reason from task_instance where task_id = 'small'" });
  expect(rows).toEqual([{ reason: 'skipped because branch "pick" chose "big"' }]);
});

it("skips everything behind a short circuit, whatever the rules, or only what comes next", async () => {
  const all = await run({ type: "short_circuit", skips: "all" }, false);
  expect(all.worked).toEqual(["pick"]);
  expect(Object.values(await store.states(all.id)).filter((state) => state === "skipped")).toHaveLength(4);
  await store.save(
    dagOf("d", [
      taskOf("pick", [], { operator: { type: "short_circuit", skips: "direct" } }),
      taskOf("next", ["pick"]),
      taskOf("clean", ["next"], { trigger_rule: "all_done" }),
    ]),
    "direct",
  );
  const made = await store.trigger("d");
  await store.workThrough(({ context }) => ({ kind: "success", result: context.task_id !== "pick" }));
  expect(await store.states(made.id)).toEqual({ pick: "success", next: "skipped", clean: "success" });
});

it("keeps a cleared task skipped while the decision stands", async () => {
  const { id } = await run(branching, "big");
  await store.db.query({
    text: `with cleared as (
        update task_instance set state = null, counted = false where run_id = $1 and task_id = 'small' returning run_id)
      update dag_run set state = 'queued', end_date = null, unfinished = unfinished + 1 where id in (select run_id from cleared)`,
    values: [id],
  });
  // Its counters say that its upstream succeeded, so only the decision holds it; a growth of the counters makes it move.
  await store.db.query({
    text: `update task_instance set upstream_success = 0, upstream_total = 0 where run_id = $1 and task_id = 'small'`,
    values: [id],
  });
  expect(await store.workThrough()).toEqual([]);
  expect((await store.states(id))["small"]).toBe("skipped");
});
