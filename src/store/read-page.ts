// Lists for people: conditions that are left out leave the statement, so that Postgres plans what was asked. These
// statements are unnamed for the same reason. The total is counted only when the page itself does not tell it.

import type { Queryable } from "./database.ts";

/** `sql` holds "$" where the value goes; an undefined value drops the condition. */
export interface Condition {
  sql: string;
  value: unknown;
}

export interface Ordering<Field extends string> {
  field: Field;
  descending: boolean;
}

export interface RangeFilter<Field extends string> {
  field: Field;
  operator: "gte" | "gt" | "lte" | "lt";
  value: string;
}

export interface PageSize {
  limit: number;
  offset: number;
}

export interface Page<Row> {
  rows: Row[];
  total: number;
}

export interface PageQuery extends PageSize {
  columns: string;
  /** What conditions and order refer to. */
  from: string;
  /** Joins for columns alone: each row matches once, so counting goes without them. */
  details?: string;
  conditions: Condition[];
  order: string;
}

export async function readPage<Row extends object>(db: Queryable, query: PageQuery): Promise<Page<Row>> {
  const { where, values } = buildWhere(query.conditions);
  const { rows } = await db.query<Row>({
    text: `select ${query.columns} from ${query.from} ${query.details ?? ""} ${where}
      order by ${query.order} limit $${values.length + 1} offset $${values.length + 2}`,
    values: [...values, query.limit, query.offset],
  });
  const isLast = rows.length < query.limit && (rows.length > 0 || query.offset === 0);
  if (isLast) return { rows, total: query.offset + rows.length };
  const counted = await db.query<{ total: number }>({
    text: `select count(*) as total from ${query.from} ${where}`,
    values,
  });
  return { rows, total: counted.rows[0]?.total ?? 0 };
}

function buildWhere(conditions: readonly Condition[]): { where: string; values: unknown[] } {
  const values: unknown[] = [];
  const parts = conditions.flatMap(({ sql, value }) => {
    if (value === undefined) return [];
    values.push(value);
    return [sql.replaceAll("$", () => `$${values.length}`)];
  });
  return { where: parts.length === 0 ? "" : `where ${parts.join(" and ")}`, values };
}

/**
 * `unique` ends the order, so that pages neither overlap nor skip. What has no value comes last either way; columns that
 * always have one keep the plain order, which their indexes give.
 */
export function buildOrder<Field extends string>(
  columns: Record<Field, string>,
  nullable: readonly Field[],
  order: readonly Ordering<Field>[],
  otherwise: string,
  unique: string,
): string {
  if (order.length === 0) return otherwise;
  const parts = order.map(({ field, descending }) =>
    descending ? `${columns[field]} desc${nullable.includes(field) ? " nulls last" : ""}` : columns[field],
  );
  return [...parts, unique].join(", ");
}

const OPERATORS = { gte: ">=", gt: ">", lte: "<=", lt: "<" } as const;

export function buildRanges<Field extends string>(
  columns: Record<Field, string>,
  ranges: readonly RangeFilter<Field>[],
): Condition[] {
  return ranges.map(({ field, operator, value }) => ({
    sql: `${columns[field]} ${OPERATORS[operator]} $::timestamptz`,
    value,
  }));
}

/** "a|b" → ["%a%", "%b%"], for `ilike any`. */
export function splitPattern(pattern: string | undefined): string[] | undefined {
  return pattern?.split("|").map((part) => `%${part}%`);
}
