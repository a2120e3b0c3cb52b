import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ReprocessBehavior } from "../../src/core/backfill.ts";
import type { DagDefinition } from "../../src/core/definition.ts";
import { listRunsBetween } from "../../src/core/timetable.ts";
import { advanceBackfills } from "../../src/store/backfill-advance.ts";
import {
  cancelBackfill,
  createBackfill,
  filterBackfillRuns,
  readBackfill,
  setBackfillPaused,
} from "../../src/store/backfills.ts";
import { createDueRuns } from "../../src/store/due-runs.ts";
import { act, restartAll } from "../support/interventions.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

let store: StoreBundle;
beforeEach(async () => {
  store = await openStoreBundle();
});
afterEach(() => store.close());

const HOURLY = { kind: "cron", expression: "0 * * * *", timezone: "UTC" } as const;
const at = (hour: number) => new Date(Date.UTC(2026, 10, 21, hour));

function define(more: Partial<DagDefinition> = {}): DagDefinition {
  return dagOf("d", [taskOf("a")], { schedule: HOURLY, ...more });
}

interface Wishes {
  from?: number;
  to?: number;
  reprocess?: ReprocessBehavior;
  backwards?: boolean;
  limit?: number;
}

async function backfill(definition: DagDefinition, wishes: Wishes = {}): Promise<number> {
  const { from = 0, to = 5, reprocess = "none", backwards = false, limit = 2 } = wishes;
  const range = { from: at(from), to: at(to), now: store.now(), limit: 100 };
  const new_backfill = {
    dag_id: "d",
    from_date: range.from,
    to_date: range.to,
    reprocess_behavior: reprocess,
    run_backwards: backwards,
    max_active_runs: limit,
    conf: {},
    params: {},
    user: null,
  };
  return createBackfill(store.db, new_backfill, listRunsBetween(definition, range), store.now());
}

const advance = () => advanceBackfills(store.db, store.rules.versions, store.now(), 10);

/** Until the backfill has ended; the hours of the runs, in the order in which they were started. */
async function finish(id: number, kindOf: () => "success" | "task_failed" = () => "success"): Promise<number[]> {
  const order: number[] = [];
  for (let pass = 0; pass < 100; pass += 1) {
    await advance();
    await store.settle();
    for (const launched of await store.launch()) {
      const started = await store.start(launched.attempt_id);
      order.push(new Date(started.context.logical_date ?? "").getUTCHours());
      await store.finish(started, kindOf());
    }
    store.pass(1);
    if ((await readBackfill(store.db, id)).completed_at) return order;
  }
  throw new Error("the backfill does not end");
}

async function listRuns() {
  const { rows } = await store.db.query<{ hour: number; state: string; run_type: string; runs: number }>({
    text: `select extract(hour from logical_date at time zone 'UTC')::int as hour, state, run_type
      from dag_run order by logical_date`,
  });
  return rows.map(({ hour, state, run_type }) => `${hour} ${run_type} ${state}`);
}

describe("a backfill", () => {
  it("makes the runs of its range within its own limit, oldest first", async () => {
    const definition = define({ max_active_runs: 1 });
    await store.save(definition);
    const id = await backfill(definition);
    await advance();
    await store.settle();
    // The DAG's own limit is another one.
    expect(await listRuns()).toEqual(["0 backfill running", "1 backfill running"]);
    expect((await finish(id)).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await readBackfill(store.db, id)).toMatchObject({ dates: 6, pending: 0, created: 6, cancelled_at: null });
  });

  it("runs backwards, newest first", async () => {
    const definition = define();
    await store.save(definition);
    expect(await finish(await backfill(definition, { backwards: true, limit: 1 }))).toEqual([5, 4, 3, 2, 1, 0]);
  });

  it.each<[ReprocessBehavior, number[]]>([
    ["none", [2, 3]],
    ["failed", [1, 2, 3]],
    ["completed", [0, 1, 2, 3]],
  ])("with reprocess %s runs the hours %j, and leaves what is under way alone", async (reprocess, expected) => {
    const definition = define();
    await store.save(definition);
    await finish(await backfill(definition, { to: 0 }));
    await finish(await backfill(definition, { from: 1, to: 1 }), () => "task_failed");
    // Hours 4 and 5 are running and queued.
    const other = await backfill(definition, { from: 4, to: 5, limit: 1 });
    await advance();
    await store.settle();
    await cancelBackfill(store.db, other, store.now());
    await store.db.query({
      text: `insert into dag_run (dag_id, dag_run_id, version_id, run_type, state, logical_date, run_after, queued_at, params,
          conf, triggered_by, unfinished)
        select dag_id, 'mine', version_id, 'manual', 'queued', $1, $2, queued_at, params, conf, triggered_by, 1 from dag_run limit 1`,
      values: [at(5), new Date(store.now().getTime() + 86_400_000)],
    });
    const before = await listRuns();
    expect(before.slice(2)).toEqual(["4 backfill running", "5 manual queued"]);
    const range = { from: at(0), to: at(5), now: store.now(), limit: 100 };
    const dry = await filterBackfillRuns(store.db, "d", listRunsBetween(definition, range), reprocess);
    expect(dry.map((run) => run.logical_date.getUTCHours())).toEqual(expected);
    expect(await listRuns()).toEqual(before);
    const id = await backfill(definition, { reprocess });
    await advance();
    await advance();
    expect((await listRuns()).slice(-2)).toEqual(["4 backfill running", "5 manual queued"]);
    const ran = await finish(id);
    expect(ran.filter((hour) => hour < 4).toSorted((a, b) => a - b)).toEqual(expected);
    expect(await readBackfill(store.db, id)).toMatchObject({ created: 2, pending: 0 });
  });

  it("keeps the old attempts of a run that it repeats, and fences them off", async () => {
    const definition = define();
    await store.save(definition);
    await finish(await backfill(definition, { to: 0 }), () => "task_failed");
    // The new version has one task more and one less.
    await store.save(dagOf("d", [taskOf("b")], { schedule: HOURLY }), "two");
    await store.save(dagOf("d", [taskOf("a"), taskOf("c", ["a"])], { schedule: HOURLY }), "three");
    await finish(await backfill(definition, { to: 0, reprocess: "failed" }));
    const { rows } = await store.db.query({
      text: `select t.task_id, t.state, t.epoch, t.try_number, r.state as run, r.unfinished, r.run_type,
          array_agg(a.outcome order by a.epoch) as outcomes
        from dag_run r join task_instance t on t.run_id = r.id join attempt a on a.task_instance_id = t.id
        group by 1, 2, 3, 4, 5, 6, 7 order by 1`,
    });
    const run = { state: "success", run: "success", unfinished: 0, run_type: "backfill" };
    expect(rows).toEqual([
      { ...run, task_id: "a", epoch: 2, try_number: 2, outcomes: ["task_failed", "success"] },
      { ...run, task_id: "c", epoch: 1, try_number: 1, outcomes: ["success"] },
    ]);
  });

  it("repeats nothing before the attempt of a cancelled run has ended", async () => {
    const definition = define();
    await store.save(definition);
    await backfill(definition, { to: 0 });
    await advance();
    await store.settle();
    const [launched] = await store.launch();
    const attempt = await store.start(launched?.attempt_id ?? "");
    const { rows } = await store.db.query<{ id: number; dag_run_id: string }>({
      text: "select id, dag_run_id from dag_run",
    });
    const run = { id: 0, dag_run_id: "", ...rows[0], dag_id: "d" };
    await act(store, run, { kind: "mark_run", state: "failed", reason: "cancelled by ada" });
    await advance();
    await backfill(definition, { to: 0, reprocess: "failed" });
    await advance();
    await store.settle();
    expect(await store.states(run.id)).toEqual({ a: "restarting" });
    expect(await store.launch()).toEqual([]);
    await store.finish(attempt, "task_failed");
    await restartAll(store);
    await store.settle();
    expect(await store.launch()).toMatchObject([{ task_id: "a", epoch: 2 }]);
  });

  it("pauses, goes on, and is cancelled", async () => {
    const definition = define();
    await store.save(definition);
    const id = await backfill(definition);
    await setBackfillPaused(store.db, id, true, store.now());
    expect(await advance()).toEqual({ created: 0, more: false });
    await setBackfillPaused(store.db, id, false, store.now());
    expect(await advance()).toMatchObject({ created: 2 });
    await setBackfillPaused(store.db, id, true, store.now());
    await store.settle();
    expect(await listRuns()).toEqual(["0 backfill queued", "1 backfill queued"]);
    await expect(backfill(definition)).rejects.toMatchObject({ code: "already_exists" });
    await cancelBackfill(store.db, id, store.now());
    expect(await listRuns()).toEqual(["0 backfill failed", "1 backfill failed"]);
    await expect(cancelBackfill(store.db, id, store.now())).rejects.toMatchObject({ code: "backfill_ended" });
    await expect(setBackfillPaused(store.db, 99, true, store.now())).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("catchup, backfill and several schedulers", () => {
  it("create every run once and lose none, in any interleaving", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("due", "backfill", "both", "work"), { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        async (steps, backwards) => {
          await forgetAll();
          const definition = define({ catchup: true, start_date: at(2).toISOString(), max_active_runs: 4 });
          await store.save(definition);
          const id = await backfill(definition, { backwards, limit: 3 });
          const due = () => createDueRuns(store.db, store.now(), 10);
          for (const step of steps) {
            if (step === "due") await Promise.all([due(), due()]);
            if (step === "backfill") await Promise.all([advance(), advance()]);
            if (step === "both") await Promise.all([due(), advance(), due(), advance()]);
            if (step === "work") await store.workThrough();
          }
          for (let pass = 0; pass < 20 && (await listOpen()) > 0; pass += 1) {
            await Promise.all([due(), advance()]);
            await store.workThrough();
          }
          expect((await readBackfill(store.db, id)).completed_at).not.toBeNull();
          const hours = (await listRuns()).map((run) => run.replace(/ (scheduled|backfill)/, ""));
          expect(hours).toEqual(Array.from({ length: 9 }, (_, hour) => `${hour} success`));
        },
      ),
      { numRuns: 5 },
    );
  }, 60_000);
});

/** Open backfills, and DAGs with a run that is due. */
async function listOpen(): Promise<number> {
  const { rowCount } = await store.db.query({
    text: `select from backfill where completed_at is null union all select from dag where next_run_after <= $1`,
    values: [store.now()],
  });
  return rowCount;
}

async function forgetAll(): Promise<void> {
  await store.db.query({ text: "delete from dag_run" });
  await store.db.query({ text: "update dag set current_version_id = null" });
  await store.db.query({ text: "delete from dag" });
}
