// How full a pool is.

export interface PoolUsage {
  slots: number;
  include_deferred: boolean;
  queued: number;
  running: number;
  deferred: number;
}

/** @returns open: -1 for a pool without a limit */
export function countSlots(pool: PoolUsage): { occupied: number; open: number } {
  const occupied = pool.queued + pool.running + (pool.include_deferred ? pool.deferred : 0);
  // What is more in use than there is must not look like a pool without a limit.
  return { occupied, open: pool.slots === -1 ? -1 : Math.max(0, pool.slots - occupied) };
}
