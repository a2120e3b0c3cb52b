// Whatever the DAG, whatever ends how, and in whatever order the ends come: a run ends, and as the slow model says.

import fc from "fast-check";
import { expect, test } from "vitest";
import { outcomeOf } from "../../test/support/store-bundle.ts";
import { randomDag } from "../../test/support/random-dag.ts";
import { predictEnd } from "../../test/support/slow-model.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { type AttemptRunner, runInProcess } from "./run-in-process.ts";

test("a run ends as the model says, in any order of events", async () => {
  await fc.assert(
    fc.asyncProperty(randomDag, fc.scheduler(), async (random, scheduler) => {
      const runner: AttemptRunner = async (task, _, { map_index }) => {
        await scheduler.schedule(Promise.resolve(), `${task.task_id}[${map_index}]`);
        return { outcome: outcomeOf(random.endOf(task.task_id, map_index)), result: random.resultOf(task.task_id) };
      };
      const run = await scheduler.waitFor(runInProcess(random, {}, runner, systemClock));
      const instances = Object.fromEntries(
        run.tasks.map(({ task_id, map_index, state }) => [
          map_index === -1 ? task_id : `${task_id}[${map_index}]`,
          state,
        ]),
      );
      expect({ state: run.state, instances }).toEqual(predictEnd(random));
    }),
    { numRuns: 600 },
  );
});
