// Runs as an intervention sees them, locked: nothing of them moves until the transaction ends. Attempts that may end are
// locked first and in the order of ids, as by those who write outcomes, so that neither waits for the other. "No key" here and
// wherever runs and instances are locked: rows that refer to them (lanes, callbacks, results) are written meanwhile by those who
// hold other rows, and would wait for a full lock in the other order.

import { failure } from "../core/errors.ts";
import type { InstanceSnapshot, RunSnapshot } from "../core/intervention.ts";
import type { AttemptState, RunState } from "../core/states.ts";
import type { Queryable } from "./database.ts";
import type { VersionCache } from "./dag-versions.ts";

/** The runs of a DAG that lie before, after or at one of them, by logical date, else by the time they were to begin. */
export interface RunChoice {
  dag_id: string;
  dag_run_id: string;
  past: boolean;
  future: boolean;
}

/** One request is one transaction: more would hold up the whole installation. */
const MOST_RUNS = 1_000;

interface RunRow {
  id: number;
  dag_id: string;
  dag_run_id: string;
  state: RunState;
  version_id: number;
}

/** Errors: not_found, invalid_request. */
export async function lockRuns(tx: Queryable, versions: VersionCache, choice: RunChoice): Promise<RunSnapshot[]> {
  const { rows: runs } = await tx.query<RunRow>({
    name: "lock_chosen_runs",
    text: `
      select r.id, r.dag_id, r.dag_run_id, r.state, r.version_id
      from dag_run o join dag_run r on r.dag_id = o.dag_id and (r.id = o.id
        or ($3 and coalesce(r.logical_date, r.run_after) < coalesce(o.logical_date, o.run_after))
        or ($4 and coalesce(r.logical_date, r.run_after) > coalesce(o.logical_date, o.run_after)))
      where o.dag_id = $1 and o.dag_run_id = $2
      order by r.id limit $5 for no key update of r`,
    values: [choice.dag_id, choice.dag_run_id, choice.past, choice.future, MOST_RUNS + 1],
  });
  if (runs.length === 0) throw failure("not_found", `DAG "${choice.dag_id}" has no run "${choice.dag_run_id}"`);
  if (runs.length > MOST_RUNS) {
    throw failure(
      "invalid_request",
      `this would touch more than ${MOST_RUNS} runs of "${choice.dag_id}"; do it in parts`,
    );
  }
  return readRuns(tx, versions, runs);
}

async function readRuns(tx: Queryable, versions: VersionCache, runs: readonly RunRow[]): Promise<RunSnapshot[]> {
  const ids = runs.map(({ id }) => id);
  await tx.query({
    name: "lock_stoppable",
    text: `select a.id from attempt a join task_instance t on t.id = a.task_instance_id
      where t.run_id = any ($1::bigint[]) and a.outcome is null order by a.id for no key update of a, t`,
    values: [ids],
  });
  const { rows: instances } = await tx.query<Omit<InstanceSnapshot, "attempt"> & { run_id: number }>({
    name: "lock_instances",
    text: `select id, run_id, task_id, map_index, state, try_number, max_tries from task_instance
      where run_id = any ($1::bigint[]) order by run_id, task_id, map_index for no key update`,
    values: [ids],
  });
  // Only now: an instance may have been queued while its lock was waited for.
  const { rows: attempts } = await tx.query<{ task_instance_id: string; attempt_id: string; state: AttemptState }>({
    name: "read_stoppable",
    text: `select a.task_instance_id, a.id as attempt_id, a.state
      from attempt a join task_instance t on t.id = a.task_instance_id
      where t.run_id = any ($1::bigint[]) and a.outcome is null order by a.id for no key update of a`,
    values: [ids],
  });
  const open = new Map(attempts.map(({ task_instance_id, ...attempt }) => [task_instance_id, attempt]));
  const byRun = Map.groupBy(instances, ({ run_id }) => run_id);
  return Promise.all(
    runs.map(async (run) => ({
      ...run,
      graph: (await versions.loadVersion(tx, run.version_id)).graph,
      instances: (byRun.get(run.id) ?? []).map((one) => ({ ...one, attempt: open.get(one.id) ?? null })),
    })),
  );
}

export async function readNewestVersion(tx: Queryable, dagId: string): Promise<number | null> {
  const { rows } = await tx.query<{ version_id: number | null }>({
    name: "read_newest_version",
    text: "select current_version_id as version_id from dag where dag_id = $1",
    values: [dagId],
  });
  return rows[0]?.version_id ?? null;
}
