// Callbacks as rows: written in the transaction of what they tell, called later by whichever scheduler comes first, each
// under a lease. They are called at least once: a scheduler that dies in a call leaves it to another.

import {
  type CallbackEvent,
  callAgainIn,
  type CallbackState,
  type Deadline,
  deadlineAt,
  runEventOf,
  sayMissed,
} from "../core/callback.ts";
import { cleanText } from "../core/clean-text.ts";
import type { DagDefinition } from "../core/definition.ts";
import type { DagGraph } from "../core/graph.ts";
import type { RunState, TaskState } from "../core/states.ts";
import type { VersionCache } from "./dag-versions.ts";
import type { Queryable } from "./database.ts";
import { RUN_COLUMNS, type RunRow } from "./run-row.ts";
import { notifyWork } from "./wake-up.ts";

export interface TaskEvent {
  task_instance_id: string;
  task_id: string;
  version_id: number;
  event: CallbackEvent | null;
  /** That it is about, when the instance has gone on to the next. */
  try_number?: number;
}

/** Those that nobody wants to hear of are left out. The instances have been moved already. */
export async function enqueueTaskCallbacks(
  tx: Queryable,
  versions: VersionCache,
  events: readonly TaskEvent[],
  now: Date,
): Promise<void> {
  const wanted: { id: string; event: CallbackEvent; try_number: number | null }[] = [];
  for (const { task_instance_id, task_id, version_id, event, try_number = null } of events) {
    if (event === null) continue;
    const { graph } = await versions.loadVersion(tx, version_id);
    if (graph.tasks.get(task_id)?.callbacks?.includes(event)) wanted.push({ id: task_instance_id, event, try_number });
  }
  if (wanted.length === 0) return;
  await tx.query({
    name: "enqueue_task_callbacks",
    text: `insert into callback (run_id, task_instance_id, event, state, try_number, reason, tries, due_at, created_at)
      select t.run_id, t.id, w.event, 'pending', coalesce(w.try_number, t.try_number), t.reason, 0, $3, $3
      from unnest($1::uuid[], $2::text[], $4::int[]) as w (id, event, try_number) join task_instance t on t.id = w.id`,
    values: [
      wanted.map(({ id }) => id),
      wanted.map(({ event }) => event),
      now,
      wanted.map(({ try_number }) => try_number),
    ],
  });
  await notifyWork(tx, "callbacks");
}

/** In the transaction in which a run ends, whatever ended it. */
export async function followRunEnd(
  tx: Queryable,
  runId: number,
  graph: DagGraph,
  state: RunState,
  now: Date,
): Promise<void> {
  await wakeWaiters(tx, runId, now);
  if (graph.run_callbacks.length === 0) return;
  await tx.query({
    name: "cancel_deadline",
    // One that is due already was missed, whoever came first.
    text: `update callback set state = 'cancelled', due_at = null, finished_at = $2
      where run_id = $1 and event = 'deadline' and state = 'pending' and due_at > $2`,
    values: [runId, now],
  });
  const event = runEventOf(state);
  if (!graph.run_callbacks.includes(event)) return;
  await tx.query({
    name: "enqueue_run_callback",
    text: `insert into callback (run_id, event, state, reason, tries, due_at, created_at)
      select id, $2, 'pending', reason, 0, $3::timestamptz, $3::timestamptz from dag_run where id = $1`,
    values: [runId, event, now],
  });
  await notifyWork(tx, "callbacks");
}

/** Whoever waits for the run looks at once. */
async function wakeWaiters(tx: Queryable, runId: number, now: Date): Promise<void> {
  const { rowCount } = await tx.query({
    name: "wake_waiters",
    text: "update deferral set due_at = $2 where awaited_run_id = $1",
    values: [runId, now],
  });
  if (rowCount > 0) await notifyWork(tx, "defer");
}

/** In the transaction in which a run is queued or starts; `moments` are those of them that its deadline may count from. */
export async function setRunDeadline(
  tx: Queryable,
  runId: number,
  { deadline }: Pick<DagDefinition, "deadline">,
  moments: Partial<Record<Deadline["from"], Date>>,
  now: Date,
): Promise<void> {
  const due = deadlineAt(deadline, moments);
  if (!deadline || due === null) return;
  await tx.query({
    name: "set_deadline_callback",
    text: `insert into callback (run_id, event, state, reason, tries, due_at, created_at)
      values ($1, 'deadline', 'pending', $2, 0, $3, $4)`,
    values: [runId, sayMissed(deadline), due, now],
  });
  await notifyWork(tx, "callbacks");
}

/** One call of a callback. */
export interface CallbackCall {
  id: number;
  /** This one included. */
  tries: number;
}

export interface ClaimedCallback extends RunRow, CallbackCall {
  event: CallbackEvent;
  task_id: string | null;
  map_index: number | null;
  try_number: number | null;
  reason: string | null;
  run_state: RunState;
  state: TaskState | null;
  version_id: number;
}

export async function claimCallbacks(
  db: Queryable,
  claim: { limit: number; leaseMs: number },
  now: Date,
): Promise<ClaimedCallback[]> {
  const { rows } = await db.query<ClaimedCallback>({
    name: "claim_callbacks",
    text: `
      with due as (
        select id from callback where due_at <= $1 and (leased_until is null or leased_until <= $1)
        order by due_at limit $2 for update skip locked),
      leased as (
        update callback c set leased_until = $1 + $3 * interval '1 millisecond', tries = c.tries + 1
        from due where c.id = due.id
        returning c.id, c.run_id, c.task_instance_id, c.event, c.try_number, c.reason, c.tries)
      select l.id, l.event, l.try_number, l.reason, l.tries, t.task_id, t.map_index, t.state, r.state as run_state,
        ${RUN_COLUMNS}, r.version_id
      from leased l join dag_run r on r.id = l.run_id left join task_instance t on t.id = l.task_instance_id`,
    values: [now, claim.limit, claim.leaseMs],
  });
  return rows;
}

/** Moves the ends of leases; returns the calls that nobody else has repeated since. */
export async function extendCallbacks(
  db: Queryable,
  calls: readonly CallbackCall[],
  until: Date,
): Promise<CallbackCall[]> {
  const { rows } = await db.query<CallbackCall>({
    name: "extend_callbacks",
    text: `update callback c set leased_until = $3 from unnest($1::bigint[], $2::int[]) as l (id, tries)
      where c.id = l.id and c.tries = l.tries and c.state = 'pending' returning c.id, c.tries`,
    values: [calls.map(({ id }) => id), calls.map(({ tries }) => tries), until],
  });
  return rows;
}

export async function findNextCallback(db: Queryable, now: Date): Promise<Date | null> {
  const { rows } = await db.query<{ due_at: Date }>({
    name: "next_callback",
    text: "select due_at from callback where due_at > $1 order by due_at limit 1",
    values: [now],
  });
  return rows[0]?.due_at ?? null;
}

export interface CallbackEnd extends CallbackCall {
  /** null: it returned. */
  error: string | null;
}

/** Writes down how calls ended; a call that outlived its lease changes nothing. */
export async function recordCallbacks(db: Queryable, ends: readonly CallbackEnd[], now: Date): Promise<void> {
  if (ends.length === 0) return;
  const next = ends.map(({ tries, error }) => (error === null ? null : callAgainIn(tries)));
  await db.query({
    name: "record_callbacks",
    text: `
      update callback c set state = e.state, error = coalesce(e.error, c.error), leased_until = null,
        due_at = case when e.state = 'pending' then $6::timestamptz + e.next * interval '1 second' end,
        finished_at = case when e.state <> 'pending' then $6::timestamptz end
      from unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::float8[]) as e (id, tries, state, error, next)
      where c.id = e.id and c.tries = e.tries and c.state = 'pending'`,
    values: [
      ends.map(({ id }) => id),
      ends.map(({ tries }) => tries),
      ends.map(({ error }, index) => (error === null ? "success" : next[index] === null ? "failed" : "pending")),
      ends.map(({ error }) => (error === null ? null : cleanText(error))),
      next,
      now,
    ],
  });
}

export interface CallbackRow {
  id: number;
  event: CallbackEvent;
  state: CallbackState;
  task_id: string | null;
  map_index: number | null;
  try_number: number | null;
  reason: string | null;
  tries: number;
  due_at: Date | null;
  error: string | null;
  created_at: Date;
  finished_at: Date | null;
}

export async function listRunCallbacks(db: Queryable, dagId: string, runId: string): Promise<CallbackRow[]> {
  const { rows } = await db.query<CallbackRow>({
    name: "list_callbacks",
    text: `select c.id, c.event, c.state, t.task_id, t.map_index, c.try_number, c.reason, c.tries, c.due_at, c.error,
        c.created_at, c.finished_at
      from callback c join dag_run r on r.id = c.run_id left join task_instance t on t.id = c.task_instance_id
      where r.dag_id = $1 and r.dag_run_id = $2 order by c.id limit 1000`,
    values: [dagId, runId],
  });
  return rows;
}
