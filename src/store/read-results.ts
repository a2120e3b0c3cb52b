// What tasks returned.

import type { Json } from "../core/json.ts";
import type { Queryable } from "./database.ts";
import { type Page, type PageSize, readPage } from "./read-page.ts";
import type { InstanceKey } from "./read-task-instances.ts";

export interface ResultEntryRow extends InstanceKey {
  created_at: Date;
  logical_date: Date | null;
}

export interface ResultFilter extends PageSize {
  /** undefined: any. */
  dag_id: string | undefined;
  dag_run_id: string | undefined;
  task_id: string | undefined;
  map_index: number | undefined;
}

const COLUMNS = "r.dag_id, r.dag_run_id, i.task_id, i.map_index, r.logical_date, t.created_at";
const FROM = "task_result t join task_instance i on i.id = t.task_instance_id join dag_run r on r.id = i.run_id";

export async function listResults(db: Queryable, filter: ResultFilter): Promise<Page<ResultEntryRow>> {
  return readPage<ResultEntryRow>(db, {
    columns: COLUMNS,
    from: FROM,
    conditions: [
      { sql: "r.dag_id = $", value: filter.dag_id },
      { sql: "r.dag_run_id = $", value: filter.dag_run_id },
      { sql: "i.task_id = $", value: filter.task_id },
      { sql: "i.map_index = $", value: filter.map_index },
    ],
    order: "i.run_id, i.task_id, i.map_index",
    limit: filter.limit,
    offset: filter.offset,
  });
}

export async function readResult(db: Queryable, key: InstanceKey): Promise<(ResultEntryRow & { value: Json }) | null> {
  const { rows } = await db.query<ResultEntryRow & { value: Json }>({
    name: "read_result",
    text: `select ${COLUMNS}, t.value from ${FROM}
      where r.dag_id = $1 and r.dag_run_id = $2 and i.task_id = $3 and i.map_index = $4`,
    values: [key.dag_id, key.dag_run_id, key.task_id, key.map_index],
  });
  return rows[0] ?? null;
}
