// Leases: the right of one process to do a thing, for a while. The token grows with every change of holder; writes that
// carry an older one are refused, so a holder that was paused past its time can harm nothing. The database's own clock
// judges expiry, because the clocks of two processes may differ.

import { failure } from "../core/errors.ts";
import type { Queryable } from "./database.ts";

export interface Lease {
  name: string;
  holder: string;
  token: string;
}

/** Takes a free or expired lease, or renews one's own; null when another holder has it. */
export async function acquireLease(db: Queryable, name: string, holder: string, ttlMs: number): Promise<Lease | null> {
  const { rows } = await db.query<{ token: string }>({
    name: "acquire_lease",
    text: `
      insert into lease as l (name, holder, token, expires_at)
      values ($1, $2, 1, clock_timestamp() + $3 * interval '1 millisecond')
      on conflict (name) do update set
        holder = excluded.holder,
        token = l.token + case when l.holder = excluded.holder and l.expires_at > clock_timestamp() then 0 else 1 end,
        expires_at = excluded.expires_at
      where l.holder = excluded.holder or l.expires_at <= clock_timestamp()
      returning token::text`,
    values: [name, holder, ttlMs],
  });
  const row = rows[0];
  return row ? { name, holder, token: row.token } : null;
}

export async function releaseLease(db: Queryable, lease: Lease): Promise<void> {
  await db.query({
    text: "update lease set expires_at = clock_timestamp() where name = $1 and holder = $2 and token = $3",
    values: [lease.name, lease.holder, lease.token],
  });
}

/** Inside a transaction: throws lease_lost unless the lease is still this holder's. The share lock keeps it so until commit. */
export async function assertLease(tx: Queryable, lease: Lease): Promise<void> {
  const { rowCount } = await tx.query({
    name: "assert_lease",
    text: "select 1 from lease where name = $1 and holder = $2 and token = $3 for share",
    values: [lease.name, lease.holder, lease.token],
  });
  if (rowCount === 0) throw failure("lease_lost", `lease ${lease.name} has passed to another process`);
}
