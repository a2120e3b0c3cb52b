// A run that cannot go on, by a fault of ours or of its rows, played by a trigger of the database: the others do.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRunAdvance } from "../../src/scheduler/advance-runs.ts";
import { startQueuedRuns } from "../../src/store/run-start.ts";
import { openSchedulerBundle, type SchedulerBundle } from "../support/scheduler-bundle.ts";
import { dagOf, taskOf } from "../support/store-bundle.ts";

let { store, context } = {} as SchedulerBundle;
let faulty: { id: number };
let sound: { id: number };
let advance: () => ReturnType<ReturnType<typeof createRunAdvance>>;

beforeEach(async () => {
  ({ store, context } = await openSchedulerBundle());
  const late = { callbacks: ["deadline" as const], deadline: { after: 3_600, from: "started" as const } };
  await store.save(dagOf("faulty", [taskOf("a"), taskOf("bad", ["a"])], late), "faulty");
  await store.save(dagOf("sound", [taskOf("a"), taskOf("b", ["a"])]), "sound");
  faulty = await store.trigger("faulty");
  sound = await store.trigger("sound");
  const pass = createRunAdvance(context);
  advance = () => pass(new AbortController().signal);
});
afterEach(() => store.close());

async function breakTask(taskId: string): Promise<void> {
  await store.db.query({
    text: `create function refuse() returns trigger language plpgsql as
      $$ begin raise exception 'row % is broken', new.task_id; end $$`,
  });
  await store.db.query({
    text: `create trigger refuse before update on task_instance for each row
      when (new.task_id = '${taskId}' and new.run_id = ${faulty.id}) execute function refuse()`,
  });
}

const mend = () => store.db.query({ text: "drop function refuse cascade" });

async function reasonOf(run: { id: number }): Promise<string | null> {
  const { rows } = await store.db.query<{ reason: string | null }>({
    text: "select reason from dag_run where id = $1",
    values: [run.id],
  });
  return rows[0]?.reason ?? null;
}

describe("a run that cannot go on", () => {
  it("holds up no other, says why, and goes on by itself when it can", async () => {
    await store.settle();
    for (const { attempt_id } of await store.launch()) await store.finish(await store.start(attempt_id));
    await breakTask("bad");
    expect(await advance()).toMatchObject({ counts: { faults: 1 } });
    expect(await store.states(sound.id)).toEqual({ a: "success", b: "scheduled" });
    expect(await reasonOf(faulty)).toBe("the run cannot go on: row bad is broken");
    // It is left aside for a while.
    expect(await advance()).toMatchObject({ counts: { faults: 0 } });
    store.pass(2);
    expect(await advance()).toMatchObject({ counts: { faults: 1 } });

    await mend();
    store.pass(2);
    await advance();
    expect(await store.states(faulty.id)).toEqual({ a: "success", bad: "scheduled" });
    expect(await reasonOf(faulty)).toBeNull();
    await store.workThrough();
    expect([await store.runState(faulty.id), await store.runState(sound.id)]).toEqual(["success", "success"]);
  });

  it("keeps none from starting", async () => {
    await breakTask("a");
    expect(await startQueuedRuns(store.db, store.rules.versions, store.now(), 50)).toMatchObject({ started: 2 });
    expect(await store.states(sound.id)).toEqual({ a: "scheduled", b: null });
    await advance();
    expect(await reasonOf(faulty)).toBe("the run cannot go on: row a is broken");
    const { rows } = await store.db.query({ text: "select run_id, event from callback" });
    expect(rows).toEqual([{ run_id: faulty.id, event: "deadline" }]);
    await mend();
    store.pass(2);
    await advance();
    await store.workThrough();
    expect([await store.runState(faulty.id), await store.runState(sound.id)]).toEqual(["success", "success"]);
  });
});
