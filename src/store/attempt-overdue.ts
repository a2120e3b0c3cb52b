// Open attempts for the rule of what is overdue. Read without locks: the outcome is written under one, and only once.

import { judgeOverdue, type OpenAttempt, type OverdueLimits } from "../core/overdue.ts";
import { type AttemptEnd, type OutcomeRules, recordOutcomes } from "./attempt-outcome.ts";
import type { Database } from "./database.ts";

export async function endOverdueAttempts(
  db: Database,
  rules: OutcomeRules,
  limits: OverdueLimits,
  now: Date,
): Promise<{ open: number; ended: number }> {
  const { rows } = await db.query<OpenAttempt>({
    name: "open_attempts",
    text: `select id as attempt_id, state, launched_at, pod_scheduled_at, schedule_timeout, start_timeout, heartbeat_at, deadline_at, waiting_kind,
        waiting_reason, waiting_since
      from attempt where state in ('launched', 'running')`,
  });
  const ends = rows.flatMap((attempt): AttemptEnd[] => {
    const outcome = judgeOverdue(attempt, limits, now);
    return outcome ? [{ attempt_id: attempt.attempt_id, outcome, process_ended: false }] : [];
  });
  const written = await db.transaction((tx) => recordOutcomes(tx, rules, ends, now));
  return { open: rows.length, ended: written.length };
}
