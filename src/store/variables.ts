// Variables: named texts for tasks, sealed at rest.

import { failure } from "../core/errors.ts";
import type { Queryable } from "./database.ts";
import { buildOrder, type Ordering, type Page, type PageSize, readPage, splitPattern } from "./read-page.ts";
import type { Sealer } from "./sealing.ts";

export interface Variable {
  key: string;
  value: string;
  is_secret: boolean;
  description: string | null;
}

export interface VariableRow {
  key: string;
  sealed_value: string;
  is_secret: boolean;
  description: string | null;
  updated_at: Date;
}

export type VariableOrderField = "key" | "updated_at";
const ORDER: Record<VariableOrderField, string> = { key: "v.key", updated_at: "v.updated_at" };
const COLUMNS = "v.key, v.sealed_value, v.is_secret, v.description, v.updated_at";

const placeOf = (key: string) => `variable/${key}`;

export interface VariableFilter extends PageSize {
  pattern: string | undefined;
  order: Ordering<VariableOrderField>[];
}

export async function listVariables(db: Queryable, filter: VariableFilter): Promise<Page<VariableRow>> {
  return readPage<VariableRow>(db, {
    columns: COLUMNS,
    from: "variable v",
    conditions: [{ sql: "v.key ilike any ($::text[])", value: splitPattern(filter.pattern) }],
    order: buildOrder(ORDER, [], filter.order, "v.key", "v.key"),
    limit: filter.limit,
    offset: filter.offset,
  });
}

/** Errors: not_found. */
export async function readVariable(db: Queryable, key: string): Promise<VariableRow> {
  const [row] = await readVariables(db, [key]);
  if (!row) throw failure("not_found", `there is no variable "${key}"`);
  return row;
}

export async function readVariables(db: Queryable, keys: readonly string[]): Promise<VariableRow[]> {
  if (keys.length === 0) return [];
  const { rows } = await db.query<VariableRow>({
    name: "read_variables",
    text: `select ${COLUMNS} from variable v where v.key = any ($1)`,
    values: [keys],
  });
  return rows;
}

export function openVariable(sealer: Sealer, row: VariableRow): string {
  return sealer.open(row.sealed_value, placeOf(row.key));
}

/** @param mode create: already_exists for one that is there; change: not_found for one that is not */
export async function writeVariable(
  db: Queryable,
  sealer: Sealer,
  variable: Variable,
  mode: "create" | "change",
  now: Date,
): Promise<VariableRow> {
  const { key, value, is_secret, description } = variable;
  const values = [key, sealer.seal(value, placeOf(key)), is_secret, description, now];
  const { rows } =
    mode === "create"
      ? await db.query<VariableRow>({
          name: "create_variable",
          text: `insert into variable as v (key, sealed_value, is_secret, description, updated_at)
            values ($1, $2, $3, $4, $5) on conflict (key) do nothing returning ${COLUMNS}`,
          values,
        })
      : await db.query<VariableRow>({
          name: "change_variable",
          text: `update variable v set sealed_value = $2, is_secret = $3, description = $4, updated_at = $5
            where v.key = $1 returning ${COLUMNS}`,
          values,
        });
  const row = rows[0];
  if (row) return row;
  throw mode === "create"
    ? failure("already_exists", `there is a variable "${key}" already; change it with PATCH`)
    : failure("not_found", `there is no variable "${key}"`);
}

/** Errors: not_found. */
export async function deleteVariable(db: Queryable, key: string): Promise<void> {
  const { rowCount } = await db.query({
    name: "delete_variable",
    text: "delete from variable where key = $1",
    values: [key],
  });
  if (rowCount === 0) throw failure("not_found", `there is no variable "${key}"`);
}

/** Seals every value anew under the current key. */
export async function resealVariables(tx: Queryable, sealer: Sealer): Promise<number> {
  // for update: a value that is set meanwhile must not be overwritten by the older one.
  const { rows } = await tx.query<VariableRow>({
    name: "lock_variables",
    text: `select ${COLUMNS} from variable v order by v.key for update`,
  });
  const stale = rows.filter((row) => !sealer.isCurrent(row.sealed_value));
  if (stale.length === 0) return 0;
  await tx.query({
    name: "reseal_variables",
    text: `update variable v set sealed_value = s.sealed from unnest($1::text[], $2::text[]) as s (key, sealed)
      where v.key = s.key`,
    values: [stale.map((row) => row.key), stale.map((row) => sealer.seal(openVariable(sealer, row), placeOf(row.key)))],
  });
  return stale.length;
}
