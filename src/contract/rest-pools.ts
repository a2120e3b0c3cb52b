// Pools in the REST API.

import { z } from "zod";
import { orderByQuery, pageQuery, patternQuery } from "./rest.ts";

const POOL_ORDER_FIELDS = ["name", "slots"] as const;
export const poolsQuery = z.strictObject({
  ...pageQuery,
  pool_name_pattern: patternQuery,
  order_by: orderByQuery(POOL_ORDER_FIELDS),
});
export const poolPath = z.strictObject({ pool_name: z.string() });

const name = z
  .string()
  .max(250)
  .regex(/^[A-Za-z0-9_.-]+$/, 'a pool\'s name may hold letters, digits, "_", "." and "-"');
/** -1: no limit. */
const slots = z.int32().min(-1);
const description = z.string().max(1_000).nullable();

export const poolRequest = z
  .strictObject({
    name,
    slots,
    description: description.default(null),
    /** Whether deferred instances keep their slots. */
    include_deferred: z.boolean().default(false),
  })
  .meta({ id: "PoolBody" });
/** What is left out stays as it is. */
export const poolPatch = z
  .strictObject({
    /** Only to say which one is meant: a pool cannot be renamed. */
    pool: name.optional(),
    slots: slots.optional(),
    description: description.optional(),
    include_deferred: z.boolean().optional(),
  })
  .meta({ id: "PoolPatch" });
/** Only fields that are named are changed; without it, all that are given. */
export const poolPatchQuery = z.strictObject({
  update_mask: z.array(z.enum(["slots", "description", "include_deferred"])).optional(),
});
export const poolAnswer = z
  .object({
    name: z.string(),
    slots: z.int(),
    description: z.string().nullable(),
    include_deferred: z.boolean(),
    /** Queued and running, and deferred where the pool counts them. */
    occupied_slots: z.int(),
    running_slots: z.int(),
    queued_slots: z.int(),
    /** Of instances that wait for a slot or another limit. */
    scheduled_slots: z.int(),
    deferred_slots: z.int(),
    /** -1: no limit. */
    open_slots: z.int(),
  })
  .meta({ id: "Pool" });
export type PoolAnswer = z.infer<typeof poolAnswer>;
export const poolsAnswer = z
  .object({ pools: z.array(poolAnswer), total_entries: z.int() })
  .meta({ id: "PoolCollection" });
