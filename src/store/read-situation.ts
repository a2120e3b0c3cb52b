// All that the explanation of one task instance needs: its row with run, DAG and newest attempt, its direct upstream by state,
// the ancestors that failed, and the end of its log. Each is one statement over an index, bounded whatever the run's size.

import type { DagDefinition, MemoryGrowth, TriggerRule } from "../core/definition.ts";
import { type DagGraph, isSameIndex, listAbove } from "../core/graph.ts";
import { capFloor } from "../core/memory-growth.ts";
import { reach } from "../core/reach.ts";
import type {
  AttemptSituation,
  DagSituation,
  InstanceSituation,
  RunSituation,
  Situation,
  UpstreamGroup,
  UpstreamSituation,
} from "../core/situation.ts";
import type { Queryable } from "./database.ts";
import type { VersionCache } from "./dag-versions.ts";
import { addReasons } from "./queue-reasons.ts";
import type { InstanceKey } from "./read-task-instances.ts";

const NAMED_UPSTREAM = 3;
const NAMED_FAILURES = 3;
const LOG_LINES = 3;
// Errors are looked for among the last lines only, so that a long log costs no more than a short one.
const SEARCHED_LINES = 200;

export interface LogLine {
  timestamp: Date;
  level: string;
  event: string;
}

export interface SituationRows extends Omit<Situation, "scheduler" | "limits" | "log"> {
  id: string;
  /** The newest attempt's number; 0: there has been none. */
  epoch: number;
  log: LogLine[];
}

type FactsRow = InstanceSituation &
  Omit<RunSituation, "state" | "ahead" | "running" | "reason"> &
  Pick<DagSituation, "dag_id" | "is_paused"> & {
    id: string;
    run_id: number;
    waits_in: number | null;
    run_state: RunSituation["state"];
    run_reason: string | null;
    version_id: number;
    epoch: number;
    attempt_id: string | null;
  };

/** null: there is no such instance. Errors: not_found, when its version is gone. */
export async function readSituation(
  db: Queryable,
  versions: VersionCache,
  key: InstanceKey,
): Promise<SituationRows | null> {
  const facts = await readFacts(db, key);
  if (facts === null) return null;
  const { definition, graph } = await versions.loadVersion(db, facts.version_id);
  const [run, upstream, attempt, log] = await Promise.all([
    readRunLimit(db, facts),
    readUpstream(db, facts.run_id, graph, facts),
    facts.attempt_id === null
      ? null
      : readAttempt(db, facts.attempt_id, facts, graph.tasks.get(facts.task_id)?.memory_growth),
    facts.attempt_id === null ? [] : readLogEnd(db, facts.attempt_id),
  ]);
  return {
    id: facts.id,
    epoch: facts.epoch,
    instance: facts,
    run,
    dag: dagOf(facts, definition),
    upstream,
    attempt,
    log,
  };
}

function dagOf(facts: FactsRow, definition: DagDefinition): DagSituation {
  return { dag_id: facts.dag_id, is_paused: facts.is_paused, max_active_runs: definition.max_active_runs };
}

async function readFacts(db: Queryable, key: InstanceKey): Promise<FactsRow | null> {
  const { rows } = await db.query<FactsRow>({
    name: "read_situation",
    text: `
      select i.id, i.run_id, i.task_id, i.map_index, i.state, i.try_number, i.max_tries, i.epoch, i.infrastructure_failures,
        i.same_try, i.retry_at, i.scheduled_at, i.start_date, i.end_date, i.reason,
        case when i.state = 'scheduled' then i.lane_id end as waits_in,
        i.waits_for is not null as waits_for_past, r.dag_run_id, r.state as run_state, r.reason as run_reason,
        r.run_after, r.version_id, r.dag_id, d.is_paused, a.id as attempt_id, v.delivered_at as event_at
      from task_instance i join dag_run r on r.id = i.run_id join dag d on d.dag_id = r.dag_id
        left join attempt a on a.task_instance_id = i.id and a.epoch = i.epoch
        left join early_event v on v.task_instance_id = i.id
      where r.dag_id = $1 and r.dag_run_id = $2 and i.task_id = $3 and i.map_index = $4`,
    values: [key.dag_id, key.dag_run_id, key.task_id, key.map_index],
  });
  return (await addReasons(db, rows))[0] ?? null;
}

/** How many runs are in the way of one that is queued; the order is that in which runs are started. */
async function readRunLimit(db: Queryable, facts: FactsRow): Promise<RunSituation> {
  const { dag_run_id, run_after, run_state: state, run_reason: reason } = facts;
  if (state !== "queued") return { dag_run_id, run_after, state, reason, running: 0, ahead: 0 };
  const { rows } = await db.query<{ running: number; ahead: number }>({
    name: "count_runs_before",
    // Over dag_run_unfinished.
    text: `select count(*) filter (where state = 'running') as running,
        count(*) filter (where state = 'queued' and (run_after, id) < ($2::timestamptz, $3::bigint)) as ahead
      from dag_run where dag_id = $1 and state in ('queued', 'running') and backfill_id is null`,
    values: [facts.dag_id, run_after, facts.run_id],
  });
  return { dag_run_id, run_after, state, reason, running: rows[0]?.running ?? 0, ahead: rows[0]?.ahead ?? 0 };
}

async function readUpstream(
  db: Queryable,
  runId: number,
  graph: DagGraph,
  { task_id, map_index }: Pick<FactsRow, "task_id" | "map_index">,
): Promise<UpstreamSituation> {
  const task = graph.tasks.get(task_id);
  const trigger_rule: TriggerRule = task?.trigger_rule ?? "all_success";
  const expander = map_index === -1 ? graph.expandedBy.get(task_id) : undefined;
  const read = (ids: readonly string[]) =>
    groupUpstream(
      db,
      runId,
      ids.map((id) => ({ task_id: id, map_index: isSameIndex(graph, id, task_id) ? map_index : null })),
    );
  const [groups, setups, failed] = await Promise.all([
    // An unexpanded member waits for its group alone.
    read(expander === undefined ? (task?.upstream ?? []) : [expander]),
    read(expander === undefined ? (graph.setups.get(task_id) ?? []) : []),
    readFailedAncestors(db, runId, [...reach([task_id], (id) => listAbove(graph, id))]),
  ]);
  return { trigger_rule, groups, setups, failed, unexpanded: task?.map !== undefined && map_index === -1 };
}

async function groupUpstream(
  db: Queryable,
  runId: number,
  upstream: readonly { task_id: string; map_index: number | null }[],
): Promise<UpstreamGroup[]> {
  if (upstream.length === 0) return [];
  const { rows } = await db.query<UpstreamGroup>({
    name: "group_upstream",
    text: `
      select t.state, count(*)::integer as count,
        (array_agg(case when t.map_index = -1 then t.task_id else t.task_id || '[' || t.map_index || ']' end
          order by t.task_id, t.map_index))[1:$4::integer] as names
      from unnest($2::text[], $3::int[]) as wanted (task_id, map_index)
        join task_instance t on t.run_id = $1 and t.task_id = wanted.task_id
          and (wanted.map_index is null or t.map_index = wanted.map_index)
      group by t.state order by min(t.task_id)`,
    values: [runId, upstream.map(({ task_id }) => task_id), upstream.map(({ map_index }) => map_index), NAMED_UPSTREAM],
  });
  return rows;
}

async function readFailedAncestors(db: Queryable, runId: number, taskIds: readonly string[]) {
  if (taskIds.length === 0) return [];
  const { rows } = await db.query<{ name: string; reason: string | null }>({
    name: "read_failed_ancestors",
    text: `select case when map_index = -1 then task_id else task_id || '[' || map_index || ']' end as name, reason
      from task_instance
      where run_id = $1 and task_id = any ($2) and state = 'failed' order by end_date, task_id, map_index limit $3`,
    values: [runId, taskIds, NAMED_FAILURES],
  });
  return rows;
}

async function readAttempt(
  db: Queryable,
  attemptId: string,
  task: { dag_id: string; task_id: string },
  growth: MemoryGrowth | undefined,
): Promise<AttemptSituation | null> {
  const { rows } = await db.query<AttemptSituation>({
    name: "read_attempt_situation",
    text: `
      select state, executor, namespace, pod_name, hostname, claimed_by, claimed_until, launch_failures, launch_after,
        queued_at, launched_at, pod_scheduled_at, image_pulled_at, container_started_at, started_at, heartbeat_at,
        finished_at, waiting_kind, waiting_reason, waiting_since, last_event, last_event_at, stop_reason, stop_requested_at, outcome, outcome_reason,
        exit_code, error, memory_peak, memory_limit, m.bytes as memory_floor, m.killed_at_bytes as memory_killed_at
      from attempt left join memory_floor m on m.dag_id = $2 and m.task_id = $3
      where id = $1`,
    values: [attemptId, task.dag_id, task.task_id],
  });
  const row = rows[0];
  if (!row) return null;
  const floor = row.memory_floor;
  return { ...row, memory_floor: floor === null || !growth ? null : Number(capFloor(growth, BigInt(floor))) };
}

/** The last errors, or the last lines when there are none; oldest first. */
async function readLogEnd(db: Queryable, attemptId: string): Promise<LogLine[]> {
  const { rows } = await db.query<LogLine>({
    name: "read_log_end",
    text: `
      with tail as (
        select seq, "timestamp", level, event from task_log where attempt_id = $1 order by seq desc limit $2),
      ranked as (
        select *, level in ('error', 'fatal', 'critical') as bad,
          bool_or(level in ('error', 'fatal', 'critical')) over () as any_bad from tail)
      select "timestamp", level, event from (
        select * from ranked where bad or not any_bad order by seq desc limit $3) chosen
      order by seq`,
    values: [attemptId, SEARCHED_LINES, LOG_LINES],
  });
  return rows;
}
