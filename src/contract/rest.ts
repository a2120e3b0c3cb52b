// What all answers of the REST API (/api/v2) share. Paths, field names and states are those of Airflow's public API v2,
// so that its clients and dashboards carry over; fields of our own come on top. Durations are seconds, times ISO 8601 in UTC.

import { z } from "zod";
import { ERRORS, type ErrorCode } from "../core/errors.ts";
import type { Json, JsonObject } from "../core/json.ts";

export const REST_PREFIX = "/api/v2";
/** In place of a DAG or run id in a path: any. */
export const ANY = "~";

/** ISO 8601 with its offset. */
export const instant = z.iso.datetime({ offset: true }).meta({ pattern: undefined });
/** Values that JSON.parse or our own rows gave: walking them once more would prove nothing. */
const anyJson = z.custom<Json>(() => true);
export const freeJson: z.ZodType<Json> = anyJson;
export const freeObject: z.ZodType<JsonObject> = z.record(z.string(), anyJson);
const MAX_PAGE = 1_000;

const ERROR_CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** RFC 9457. Every answer above 399 is one, with content type application/problem+json. */
export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    /** Names the object or field, and says what to do. */
    detail: z.string(),
    /** The path that was asked for. */
    instance: z.string(),
    code: z.enum(ERROR_CODES),
    errors: z.array(z.object({ path: z.string(), message: z.string() })),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof problem>;

export const PROBLEM_TYPE = "application/problem+json";

export const queryInteger = (minimum: number, maximum: number) => z.coerce.number().int().min(minimum).max(maximum);
export const queryBoolean = z
  .enum(["true", "false"])
  .transform((text) => text === "true")
  .meta({ type: "boolean", enum: undefined });
export const mapIndexQuery = queryInteger(-1, 2 ** 31 - 1).default(-1);

/** How much of a list: the default is the first 50. */
export const pageQuery = {
  limit: queryInteger(0, MAX_PAGE).default(50),
  offset: queryInteger(0, 2 ** 31 - 1).default(0),
};

export interface Ordering<Field extends string> {
  field: Field;
  descending: boolean;
}

/** Repeatable `order_by=field` or `order_by=-field`. */
export function orderByQuery<const Field extends string>(fields: readonly [Field, ...Field[]]) {
  const names = fields.flatMap((field) => [field, `-${field}` as const]) as [
    Field | `-${Field}`,
    ...(Field | `-${Field}`)[],
  ];
  return z.array(z.enum(names)).max(10).optional();
}

export function parseOrdering<Field extends string>(
  names: readonly (Field | `-${Field}`)[] | undefined,
): Ordering<Field>[] {
  return (names ?? []).map((name) => ({
    field: (name.startsWith("-") ? name.slice(1) : name) as Field,
    descending: name.startsWith("-"),
  }));
}

const RANGE_OPERATORS = ["gte", "gt", "lte", "lt"] as const;
export type RangeOperator = (typeof RANGE_OPERATORS)[number];
type RangeName<Field extends string> = `${Field}_${RangeOperator}`;

/** `<field>_gte`, `_gt`, `_lte` and `_lt`, each an instant. */
export function rangeQuery<const Field extends string>(fields: readonly Field[]) {
  const names = fields.flatMap((field) => RANGE_OPERATORS.map((operator) => `${field}_${operator}`));
  return Object.fromEntries(names.map((name) => [name, instant.optional()])) as Record<
    RangeName<Field>,
    z.ZodOptional<typeof instant>
  >;
}

export interface Range<Field extends string> {
  field: Field;
  operator: RangeOperator;
  value: string;
}

export function parseRanges<const Field extends string>(
  fields: readonly Field[],
  query: { [name: string]: unknown },
): Range<Field>[] {
  return fields.flatMap((field) =>
    RANGE_OPERATORS.flatMap((operator) => {
      const value = query[`${field}_${operator}`];
      return typeof value === "string" ? [{ field, operator, value }] : [];
    }),
  );
}

/** Parts of the text, "|" between alternatives; "%" and "_" as in SQL's like. Letters' case does not count. */
export const patternQuery = z.string().max(500).optional();
