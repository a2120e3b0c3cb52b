// Judges instances once when they have been scheduled: which limits they count towards, how urgent they are, and whether the
// run before has to succeed first. What is found stands in their rows, in the order of an index, until they are queued; a lane
// whose best instance is among them is told so.

import { resolveInputs } from "../core/inputs.ts";
import { computePriorities } from "../core/priority.ts";
import type { DagGraph } from "../core/graph.ts";
import { keyedInput, type LaneSettings, planLane, readTaskKey } from "../core/task-lane.ts";
import type { Queryable } from "./database.ts";
import type { DagVersion, VersionCache } from "./dag-versions.ts";
import { readKeySources } from "./key-sources.ts";
import { findPastBlockers, releaseFromPast } from "./past-runs.ts";
import type { TaskKey } from "./slot-usage.ts";

export interface ScheduledInstance {
  id: string;
  run_id: number;
  task_id: string;
  map_index: number;
  map_positions: number[] | null;
  dag_id: string;
  version_id: number;
  logical_date: Date | null;
  run_after: Date;
  scheduled_at: Date;
}

type RunLane = LaneSettings & { run_id: number; dag_id: string };

interface Admission {
  id: string;
  instance: ScheduledInstance;
  /** null: the run before comes first. */
  lane: RunLane | null;
  priority: number;
  waits_for: string | null;
  reason: string | null;
}

const BATCH = 2_000;

/** Under the lock of queueing. Costs what has been scheduled since the last pass. Returns the keys that it counts towards. */
export async function admitScheduled(tx: Queryable, versions: VersionCache): Promise<TaskKey[]> {
  await releaseFromPast(tx);
  const keys: TaskKey[] = [];
  for (;;) {
    const { rows } = await tx.query<ScheduledInstance>({
      name: "to_admit",
      text: `
        select t.id, t.run_id, t.task_id, t.map_index, t.map_positions, t.scheduled_at, r.dag_id, r.version_id, r.logical_date,
          r.run_after
        from (select id, run_id, task_id, map_index, map_positions, scheduled_at from task_instance
            where state = 'scheduled' and lane_id is null and waits_for is null
            order by scheduled_at, id limit $1) t
          join dag_run r on r.id = t.run_id`,
      values: [BATCH],
    });
    if (rows.length > 0) {
      const admissions = await planAdmissions(tx, versions, rows);
      await saveAdmissions(tx, admissions);
      keys.push(...admissions.flatMap(({ lane }) => (lane === null || lane.key === "" ? [] : [lane])));
    }
    if (rows.length < BATCH) return keys;
  }
}

async function planAdmissions(
  tx: Queryable,
  versions: VersionCache,
  instances: readonly ScheduledInstance[],
): Promise<Admission[]> {
  const loaded = new Map<number, DagVersion>();
  for (const id of new Set(instances.map((instance) => instance.version_id))) {
    loaded.set(id, await versions.loadVersion(tx, id));
  }
  const judged = instances.flatMap((instance) => {
    const version = loaded.get(instance.version_id);
    const task = version?.graph.tasks.get(instance.task_id);
    return version ? [{ instance, version, task }] : [];
  });
  const blockers = await findPastBlockers(tx, judged);
  const keyed = judged.flatMap(({ instance, version, task }) => {
    const input = task && keyedInput(task);
    return input ? [{ instance, graph: version.graph, task: input }] : [];
  });
  const sources = await readKeySources(tx, keyed);
  const keys = new Map(
    keyed.flatMap(({ instance, task }) => {
      const found = sources.get(instance.id);
      return found ? [[instance.id, readTaskKey(task, resolveInputs(task, found))] as const] : [];
    }),
  );
  return judged.map(({ instance, version, task }) => {
    const blocker = blockers.get(instance.id);
    const lane = planLane(version.definition, task, keys.get(instance.id) ?? "");
    return {
      id: instance.id,
      instance,
      lane: blocker ? null : { ...lane, run_id: instance.run_id, dag_id: instance.dag_id },
      priority: prioritiesOf(version.graph).get(instance.task_id) ?? 1,
      waits_for: blocker?.id ?? null,
      reason: blocker?.reason ?? null,
    };
  });
}

// With the version in the cache, for as long as it is kept there.
const priorities = new WeakMap<DagGraph, Map<string, number>>();

function prioritiesOf(graph: DagGraph): Map<string, number> {
  const known = priorities.get(graph) ?? computePriorities(graph);
  priorities.set(graph, known);
  return known;
}

async function saveAdmissions(tx: Queryable, admissions: readonly Admission[]): Promise<void> {
  const lanes = await saveLanes(tx, findHeads(admissions));
  await tx.query({
    name: "admit_tasks",
    text: `update task_instance t set lane_id = a.lane_id, priority_weight = a.priority, waits_for = a.waits_for, reason = a.reason
      from unnest($1::uuid[], $2::bigint[], $3::int[], $4::uuid[], $5::text[]) as a (id, lane_id, priority, waits_for, reason)
      where t.id = a.id and t.state = 'scheduled'`,
    values: [
      admissions.map(({ id }) => id),
      admissions.map(({ lane }) => (lane ? (lanes.get(nameLane(lane)) ?? null) : null)),
      admissions.map(({ priority }) => priority),
      admissions.map(({ waits_for }) => waits_for),
      admissions.map(({ reason }) => reason),
    ],
  });
}

function nameLane({ run_id, pool, pool_slots, task_id, key }: RunLane): string {
  return JSON.stringify([run_id, pool, pool_slots, task_id, key]);
}

interface Head {
  lane: RunLane;
  priority: number;
  instance: ScheduledInstance;
}

/** Of each lane the best of these; all of one lane are of one run. */
function findHeads(admissions: readonly Admission[]): Head[] {
  const heads = new Map<string, Head>();
  for (const { lane, priority, instance } of admissions) {
    if (lane === null) continue;
    const name = nameLane(lane);
    const known = heads.get(name);
    if (!known || compareInLane({ priority, instance }, known) < 0) heads.set(name, { lane, priority, instance });
  }
  return [...heads.values()];
}

function compareInLane(a: Omit<Head, "lane">, b: Omit<Head, "lane">): number {
  return (
    b.priority - a.priority ||
    a.instance.map_index - b.instance.map_index ||
    a.instance.scheduled_at.getTime() - b.instance.scheduled_at.getTime() ||
    (a.instance.id < b.instance.id ? -1 : 1)
  );
}

async function saveLanes(tx: Queryable, heads: readonly Head[]): Promise<Map<string, number>> {
  if (heads.length === 0) return new Map();
  const { rows } = await tx.query<RunLane & { id: number }>({
    name: "save_lanes",
    // A run that goes on with another version has other limits in the same lanes.
    text: `
      insert into queue_lane as l (run_id, pool, pool_slots, task_id, key, run_limit, dag_limit, task_limit, task_run_limit,
        key_limit, dag_id, is_wait, cluster, head_rank, head_date, head_map_index, head_scheduled_at, head_id)
      select * from unnest($1::bigint[], $2::text[], $3::int[], $4::text[], $5::text[], $6::int[], $7::int[], $8::int[],
        $9::int[], $10::int[], $11::text[], $12::bool[], $13::text[], $14::int[], $15::timestamptz[], $16::int[],
        $17::timestamptz[], $18::uuid[])
      on conflict (run_id, pool, pool_slots, task_id, key) do update set run_limit = excluded.run_limit,
        dag_limit = excluded.dag_limit, task_limit = excluded.task_limit, task_run_limit = excluded.task_run_limit,
        key_limit = excluded.key_limit, dag_id = excluded.dag_id, is_wait = excluded.is_wait,
        cluster = excluded.cluster,
        (head_rank, head_date, head_map_index, head_scheduled_at, head_id) = (
          select h.* from (values
            (l.head_rank, l.head_date, l.head_map_index, l.head_scheduled_at, l.head_id),
            (excluded.head_rank, excluded.head_date, excluded.head_map_index, excluded.head_scheduled_at, excluded.head_id)
          ) as h (rank, date, map_index, scheduled_at, id) where h.rank is not null
          order by h.rank, h.date, h.map_index, h.scheduled_at, h.id limit 1)
      returning l.id, l.run_id, l.pool, l.pool_slots, l.task_id, l.key`,
    values: [
      heads.map(({ lane }) => lane.run_id),
      heads.map(({ lane }) => lane.pool),
      heads.map(({ lane }) => lane.pool_slots),
      heads.map(({ lane }) => lane.task_id),
      heads.map(({ lane }) => lane.key),
      heads.map(({ lane }) => lane.run_limit),
      heads.map(({ lane }) => lane.dag_limit),
      heads.map(({ lane }) => lane.task_limit),
      heads.map(({ lane }) => lane.task_run_limit),
      heads.map(({ lane }) => lane.key_limit),
      heads.map(({ lane }) => lane.dag_id),
      heads.map(({ lane }) => lane.is_wait),
      heads.map(({ lane }) => lane.cluster),
      heads.map(({ priority }) => -priority),
      heads.map(({ instance }) => instance.logical_date ?? instance.run_after),
      heads.map(({ instance }) => instance.map_index),
      heads.map(({ instance }) => instance.scheduled_at),
      heads.map(({ instance }) => instance.id),
    ],
  });
  return new Map(rows.map((row) => [nameLane(row), row.id]));
}
