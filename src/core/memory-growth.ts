// More memory after an out-of-memory kill: what the next attempt gets, and how a pod comes to it. The lowest limit that
// may work is learned per task and kept for later runs, so that each run does not die the same death again.

import type { MemoryGrowth } from "./definition.ts";
import { asObject, type JsonObject } from "./json.ts";
import { formatBytes, parseQuantity, wholeMebibytes } from "./quantity.ts";

// A factor is a decimal fraction; thousandths are fine enough, and whole numbers are exact.
const GRAIN = 1_000;

/**
 * The limit for the attempts after one that was killed at `limit`; null: it cannot grow any more.
 * Whole mebibytes, so that it can be read.
 */
export function growLimit(growth: MemoryGrowth, limit: bigint): bigint | null {
  const max = parseQuantity(growth.max);
  if (max === null || limit >= max) return null;
  const exact = (limit * BigInt(Math.round(growth.factor * GRAIN)) + BigInt(GRAIN - 1)) / BigInt(GRAIN);
  const grown = wholeMebibytes(exact);
  return grown < max ? grown : max;
}

/** What was learned, under the task's present cap: the author may have lowered it since. */
export function capFloor(growth: MemoryGrowth, floor: bigint): bigint {
  const max = parseQuantity(growth.max);
  return max !== null && floor > max ? max : floor;
}

/**
 * A container's resources with a memory limit of at least `floor`, and a request that grows by as much. Without a limit
 * there is nothing to raise.
 */
export function raiseMemory(resources: JsonObject, floor: bigint): JsonObject {
  const limits = asObject(resources["limits"]);
  const requests = asObject(resources["requests"]);
  const limit = bytesOf(limits["memory"]);
  if (limit === null || limit === 0n || limit >= floor) return resources;
  const raised: JsonObject = { ...resources, limits: { ...limits, memory: formatBytes(floor) } };
  const request = bytesOf(requests["memory"]);
  // Kubernetes takes the limit for a request that is absent.
  if (request === null) return raised;
  const wanted = (request * floor + limit - 1n) / limit;
  return { ...raised, requests: { ...requests, memory: formatBytes(wanted < floor ? wanted : floor) } };
}

function bytesOf(value: unknown): bigint | null {
  return typeof value === "string" || typeof value === "number" ? parseQuantity(String(value)) : null;
}
