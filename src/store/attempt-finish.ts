// A worker's own report of its end: outcome and result in one transaction.

import type { EmittedEvent } from "../core/asset-events.ts";
import { failure } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Database, Queryable } from "./database.ts";
import { type OutcomeRules, recordOutcomes } from "./attempt-outcome.ts";
import { saveResults } from "./task-results.ts";

/**
 * @param result undefined: keep none
 * Errors: attempt_stale. A repeat of the same report is a no-op.
 */
export async function finishAttempt(
  db: Database,
  rules: OutcomeRules,
  attempt: { attempt_id: string; epoch: number; memory_peak?: number | null },
  outcome: Outcome,
  result: Json | undefined,
  now: Date,
  assetEvents: readonly EmittedEvent[] = [],
): Promise<void> {
  const current = await db.transaction(async (tx) => {
    const written = (
      await recordOutcomes(
        tx,
        rules,
        [
          {
            attempt_id: attempt.attempt_id,
            outcome,
            process_ended: true,
            asset_events: assetEvents,
            memory_peak: attempt.memory_peak ?? null,
          },
        ],
        now,
      )
    )[0];
    if (!written) return acceptRepeat(tx, attempt, outcome);
    if (!written.after) return false;
    if (written.after.state !== "success" || result === undefined) return true;
    await saveResults(tx, [{ task_instance_id: written.task_instance_id, value: result }], now);
    return true;
  });
  // Thrown after the commit: that the old attempt has ended is worth keeping.
  if (!current) throw failure("attempt_stale", `attempt ${attempt.attempt_id} was replaced, or has ended otherwise`);
}

/** The answer to the first report may have been lost on its way. */
async function acceptRepeat(
  tx: Queryable,
  attempt: { attempt_id: string; epoch: number },
  outcome: Outcome,
): Promise<boolean> {
  const { rows } = await tx.query<{ outcome: string | null }>({
    name: "read_outcome",
    text: "select outcome from attempt where id = $1 and epoch = $2",
    values: [attempt.attempt_id, attempt.epoch],
  });
  return rows[0]?.outcome === outcome.kind;
}
