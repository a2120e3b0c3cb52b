// Task instances as people see them, each joined with its newest attempt.

import type { OutcomeKind, TaskError } from "../core/outcome.ts";
import type { TaskState } from "../core/states.ts";
import type { Queryable } from "./database.ts";
import { addReasons } from "./queue-reasons.ts";
import { VERSION_COLUMNS, type VersionRow } from "./read-dag-runs.ts";
import {
  buildOrder,
  buildRanges,
  type Condition,
  type Ordering,
  type Page,
  type PageSize,
  type RangeFilter,
  readPage,
} from "./read-page.ts";

export interface TaskInstanceRow extends VersionRow {
  id: string;
  dag_id: string;
  dag_run_id: string;
  task_id: string;
  map_index: number;
  rendered_map_index: string | null;
  state: TaskState | null;
  try_number: number;
  max_tries: number;
  epoch: number;
  infrastructure_failures: number;
  retry_at: Date | null;
  scheduled_at: Date | null;
  queued_at: Date | null;
  start_date: Date | null;
  end_date: Date | null;
  reason: string | null;
  /** Known from the moment it is ready. */
  pool: string;
  pool_slots: number;
  /** The lane in which it waits for a slot. */
  waits_in: number | null;
  priority_weight: number | null;
  logical_date: Date | null;
  run_after: Date;
  /** Of the newest attempt; null when there is none. */
  executor: string | null;
  hostname: string | null;
  waiting_reason: string | null;
  outcome: OutcomeKind | null;
  outcome_reason: string | null;
  exit_code: number | null;
  error: TaskError | null;
}

export type InstanceRangeField = "run_after" | "logical_date" | "start_date" | "end_date";
export type InstanceOrderField =
  | InstanceRangeField
  | "task_id"
  | "map_index"
  | "state"
  | "try_number"
  | "queued_when"
  | "scheduled_when"
  | "duration";

export interface TaskInstanceFilter extends PageSize {
  /** undefined: any. */
  dag_id: string | undefined;
  dag_run_id: string | undefined;
  task_ids: string[] | undefined;
  /** "no_status" stands for no state. */
  states: (TaskState | "no_status")[] | undefined;
  ranges: RangeFilter<InstanceRangeField>[];
  order: Ordering<InstanceOrderField>[];
}

const RANGE_COLUMNS: Record<InstanceRangeField, string> = {
  run_after: "r.run_after",
  logical_date: "r.logical_date",
  start_date: "i.start_date",
  end_date: "i.end_date",
};
const ORDER: Record<InstanceOrderField, string> = {
  ...RANGE_COLUMNS,
  task_id: "i.task_id",
  map_index: "i.map_index",
  state: "i.state",
  try_number: "i.try_number",
  queued_when: "i.queued_at",
  scheduled_when: "i.scheduled_at",
  duration: "(i.end_date - i.start_date)",
};
const NULLABLE: InstanceOrderField[] = [
  "logical_date",
  "start_date",
  "end_date",
  "state",
  "queued_when",
  "scheduled_when",
  "duration",
];
// The unique index of task_instance gives this order without a sort.
const UNIQUE_ORDER = "i.run_id, i.task_id, i.map_index";

const COLUMNS = `i.id, r.dag_id, r.dag_run_id, i.task_id, i.map_index, i.rendered_map_index, i.state, i.try_number, i.max_tries, i.epoch,
  i.infrastructure_failures, i.retry_at, i.scheduled_at, i.queued_at, i.start_date, i.end_date,
  i.reason, case when i.state = 'scheduled' then i.lane_id end as waits_in, coalesce(l.pool, 'default_pool') as pool, coalesce(l.pool_slots, 1) as pool_slots, i.priority_weight, r.logical_date,
  r.run_after, a.executor, a.hostname, a.waiting_reason, a.outcome, a.outcome_reason, a.exit_code, a.error, ${VERSION_COLUMNS}`;
const FROM = "task_instance i join dag_run r on r.id = i.run_id";
const DETAILS = `join dag_version v on v.id = r.version_id
  left join attempt a on a.task_instance_id = i.id and a.epoch = i.epoch left join queue_lane l on l.id = i.lane_id`;

export async function listTaskInstances(db: Queryable, filter: TaskInstanceFilter): Promise<Page<TaskInstanceRow>> {
  const page = await readPage<TaskInstanceRow>(db, {
    columns: COLUMNS,
    from: FROM,
    details: DETAILS,
    conditions: [
      { sql: "r.dag_id = $", value: filter.dag_id },
      { sql: "r.dag_run_id = $", value: filter.dag_run_id },
      { sql: "i.task_id = any ($::text[])", value: filter.task_ids },
      stateCondition(filter.states),
      ...buildRanges(RANGE_COLUMNS, filter.ranges),
    ],
    order: buildOrder(ORDER, NULLABLE, filter.order, UNIQUE_ORDER, UNIQUE_ORDER),
    limit: filter.limit,
    offset: filter.offset,
  });
  return { ...page, rows: await addReasons(db, page.rows) };
}

function stateCondition(states: TaskInstanceFilter["states"]): Condition {
  const named = states?.filter((state) => state !== "no_status");
  if (named?.length === states?.length) return { sql: "i.state = any ($::text[])", value: states };
  return { sql: "(i.state is null or i.state = any ($::text[]))", value: named };
}

export interface InstanceKey {
  dag_id: string;
  dag_run_id: string;
  task_id: string;
  /** -1: not mapped. */
  map_index: number;
}

export async function readTaskInstance(db: Queryable, key: InstanceKey): Promise<TaskInstanceRow | null> {
  const { rows } = await db.query<TaskInstanceRow>({
    name: "read_task_instance",
    text: `select ${COLUMNS} from ${FROM} ${DETAILS}
      where r.dag_id = $1 and r.dag_run_id = $2 and i.task_id = $3 and i.map_index = $4`,
    values: [key.dag_id, key.dag_run_id, key.task_id, key.map_index],
  });
  return (await addReasons(db, rows))[0] ?? null;
}
