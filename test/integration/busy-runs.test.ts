// A run in which something ends all the time holds up no run that began after it.

import { afterEach, beforeEach, expect, test } from "vitest";
import { createRunAdvance } from "../../src/scheduler/advance-runs.ts";
import type { StartedAttempt } from "../../src/store/attempt-start.ts";
import { openSchedulerBundle, type SchedulerBundle } from "../support/scheduler-bundle.ts";
import { dagOf, taskOf } from "../support/store-bundle.ts";

const WIDE = 40;
let bundle: SchedulerBundle;
beforeEach(async () => {
  bundle = await openSchedulerBundle();
});
afterEach(() => bundle.store.close());

test("each run has its turn, however often an older one could be advanced", async () => {
  const { store, context } = bundle;
  const { versions } = store.rules;
  await store.save(
    dagOf(
      "busy",
      Array.from({ length: WIDE }, (_, index) => taskOf(`t${index}`)),
    ),
  );
  await store.save(dagOf("chain", [taskOf("a"), taskOf("b", ["a"])]));
  await store.trigger("busy");
  const chains = [await store.trigger("chain"), await store.trigger("chain")];
  await store.settle();
  const tasks: StartedAttempt[] = [];
  const firsts: StartedAttempt[] = [];
  for (const { attempt_id } of await store.launch()) {
    const started = await store.start(attempt_id);
    (started.context.dag_id === "chain" ? firsts : tasks).push(started);
  }
  const finishOne = async () => {
    const next = tasks.pop();
    if (next) await store.finish(next);
  };
  await finishOne();
  for (const first of firsts) await store.finish(first);
  const left: number[] = [];
  const advanceRuns = createRunAdvance({
    ...context,
    rules: {
      ...store.rules,
      versions: {
        ...versions,
        loadVersion: async (db, id) => {
          const version = await versions.loadVersion(db, id);
          if (version.graph.dag_id === "chain") left.push(tasks.length);
          return version;
        },
      },
    },
    db: {
      ...store.db,
      // By the time that one run has been advanced, another task of the first has ended.
      transaction: async (work) => {
        const result = await store.db.transaction(work);
        await finishOne();
        return result;
      },
    },
  });
  await advanceRuns(new AbortController().signal);
  expect(left.filter((count) => count > WIDE - 10)).toHaveLength(chains.length);
  expect(await Promise.all(chains.map(({ id }) => store.states(id)))).toEqual(
    chains.map(() => ({ a: "success", b: "scheduled" })),
  );
});
