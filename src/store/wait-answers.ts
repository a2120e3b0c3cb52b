// Ends a wait from outside the scheduler: an event was delivered, or a person answered.

import { failure } from "../core/errors.ts";
import type { Answer, WaitVerdict } from "../core/judge-wait.ts";
import type { Json } from "../core/json.ts";
import type { WaitOperator } from "../core/operator.ts";
import type { Outcome } from "../core/outcome.ts";
import type { TaskState } from "../core/states.ts";
import type { Database, Queryable } from "./database.ts";
import type { VersionCache } from "./dag-versions.ts";
import { endWaits, type Look, type WaitEnd } from "./deferrals.ts";
import { keepEarlyEvent } from "./early-events.ts";
import { readPage } from "./read-page.ts";
import type { InstanceKey } from "./read-task-instances.ts";

/**
 * `decide` may refuse by throwing. An event that comes before its task waits is kept until it does; an answer to what nobody
 * has been asked is refused. Errors: not_found, not_waiting, already_exists, and those of `decide`.
 * Of two answers at once the second is refused.
 */
export async function answerWait<Type extends "event" | "approval">(
  db: Database,
  versions: VersionCache,
  key: InstanceKey,
  type: Type,
  decide: (operator: WaitOperator & { type: Type }) => WaitVerdict & { kind: "end" },
  now: Date,
): Promise<"ended" | "kept"> {
  const { operator, state, expanded } = await requireOperator(db, versions, key, type);
  const { outcome, result } = decide(operator);
  const endWait = async () => (await endByAnswer(db, versions, key, outcome, result, now)).length > 0;
  if (await endWait()) return "ended";
  if (type === "event" && expanded) {
    if (await keepEarlyEvent(db, key, result, now)) return "kept";
    // It began to wait in between.
    if (await endWait()) return "ended";
  }
  throw failure("not_waiting", `task "${key.task_id}" is ${state ?? "not reached yet"}, so it takes no answer now`);
}

/** Returns whom it ended. */
async function endByAnswer(
  db: Database,
  versions: VersionCache,
  key: InstanceKey,
  outcome: Outcome,
  result: Json,
  now: Date,
): Promise<string[]> {
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<Pick<WaitEnd, keyof Look | "task_id" | "version_id">>({
      name: "lock_wait",
      // The wait before its instance, as everywhere.
      text: `select d.task_instance_id, d.began_at, d.looks, t.task_id, r.version_id from deferral d join task_instance t on t.id = d.task_instance_id
          join dag_run r on r.id = t.run_id
        where r.dag_id = $1 and r.dag_run_id = $2 and t.task_id = $3 and t.map_index = $4 and t.state = 'deferred'
        for update of d`,
      values: [key.dag_id, key.dag_run_id, key.task_id, key.map_index],
    });
    const end = outcome.kind === "skipped" ? ("skipped" as const) : ("success" as const);
    return endWaits(
      tx,
      versions,
      rows.map((row) => ({ ...row, state: end, reason: outcome.reason, result })),
      now,
    );
  });
}

async function requireOperator<Type extends "event" | "approval">(
  db: Queryable,
  versions: VersionCache,
  key: InstanceKey,
  type: Type,
): Promise<{ operator: WaitOperator & { type: Type }; state: TaskState | null; expanded: boolean }> {
  const { rows } = await db.query<{ version_id: number; state: TaskState | null }>({
    name: "read_wait_version",
    text: `select r.version_id, t.state from task_instance t join dag_run r on r.id = t.run_id
      where r.dag_id = $1 and r.dag_run_id = $2 and t.task_id = $3 and t.map_index = $4`,
    values: [key.dag_id, key.dag_run_id, key.task_id, key.map_index],
  });
  const row = rows[0];
  if (!row) throw failure("not_found", `run "${key.dag_run_id}" of DAG "${key.dag_id}" has no task "${key.task_id}"`);
  const { graph } = await versions.loadVersion(db, row.version_id);
  const operator = graph.tasks.get(key.task_id)?.operator;
  // The one instance of a mapped group's task before the group is expanded becomes many, or none.
  const expanded = key.map_index >= 0 || !graph.expandedBy.has(key.task_id);
  if (operator?.type === type) {
    return { operator: operator as WaitOperator & { type: Type }, state: row.state, expanded };
  }
  const what = type === "event" ? "an event" : "an answer";
  throw failure("not_waiting", `task "${key.task_id}" of DAG "${key.dag_id}" never waits for ${what}`);
}

export interface ApprovalRow extends InstanceKey {
  operator: WaitOperator & { type: "approval" };
  /** null: nobody has answered. */
  answer: Answer | null;
  answered_at: Date | null;
}

interface ApprovalFacts extends InstanceKey {
  version_id: number;
  state: TaskState | null;
  reason: string | null;
  end_date: Date | null;
  value: Answer | null;
}

const COLUMNS = `r.dag_id, r.dag_run_id, t.task_id, t.map_index, t.state, t.end_date, t.reason, r.version_id, s.value`;
const RESULT = "left join task_result s on s.task_instance_id = t.id";

/** Errors: not_found, not_waiting. */
export async function readApproval(db: Queryable, versions: VersionCache, key: InstanceKey): Promise<ApprovalRow> {
  const { operator } = await requireOperator(db, versions, key, "approval");
  const { rows } = await db.query<ApprovalFacts>({
    name: "read_approval",
    text: `select ${COLUMNS} from task_instance t join dag_run r on r.id = t.run_id ${RESULT}
      where r.dag_id = $1 and r.dag_run_id = $2 and t.task_id = $3 and t.map_index = $4`,
    values: [key.dag_id, key.dag_run_id, key.task_id, key.map_index],
  });
  const row = rows[0];
  if (!row) throw failure("not_found", `task "${key.task_id}" is gone`);
  return toApproval(row, operator);
}

/** Approvals that wait for a person now, the oldest first. */
export async function listApprovals(
  db: Queryable,
  versions: VersionCache,
  filter: { dag_id: string | undefined; dag_run_id: string | undefined; limit: number; offset: number },
): Promise<{ rows: ApprovalRow[]; total: number }> {
  const page = await readPage<ApprovalFacts>(db, {
    columns: COLUMNS,
    from: "deferral d join task_instance t on t.id = d.task_instance_id join dag_run r on r.id = t.run_id",
    details: RESULT,
    conditions: [
      { sql: "d.kind = $", value: "approval" },
      { sql: "t.state = $", value: "deferred" },
      { sql: "r.dag_id = $", value: filter.dag_id },
      { sql: "r.dag_run_id = $", value: filter.dag_run_id },
    ],
    order: "d.began_at, t.id",
    limit: filter.limit,
    offset: filter.offset,
  });
  const rows = await Promise.all(
    page.rows.map(async (row) => {
      const { graph } = await versions.loadVersion(db, row.version_id);
      const operator = graph.tasks.get(row.task_id)?.operator;
      return operator?.type === "approval" ? [toApproval(row, operator)] : [];
    }),
  );
  return { rows: rows.flat(), total: page.total };
}

function toApproval(row: ApprovalFacts, operator: ApprovalRow["operator"]): ApprovalRow {
  const { dag_id, dag_run_id, task_id, map_index, state, value, end_date } = row;
  const answered = (state === "success" || state === "skipped") && value !== null;
  const answer = answered ? value : null;
  return { dag_id, dag_run_id, task_id, map_index, operator, answer, answered_at: answered ? end_date : null };
}
