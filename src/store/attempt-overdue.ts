// Open attempts for the rule of what is overdue. All are read without locks; those that are overdue are judged again under
// one, because a worker may have started in between.

import { judgeOverdue, type OpenAttempt, type OverdueLimits } from "../core/overdue.ts";
import { type AttemptEnd, type OutcomeRules, recordOutcomes } from "./attempt-outcome.ts";
import type { Database } from "./database.ts";

const COLUMNS = `id as attempt_id, state, launched_at, pod_scheduled_at, schedule_timeout, start_timeout, heartbeat_at,
  deadline_at, waiting_kind, waiting_reason, waiting_since`;

export async function endOverdueAttempts(
  db: Database,
  rules: OutcomeRules,
  limits: OverdueLimits,
  now: Date,
): Promise<{ open: number; ended: number }> {
  const judge = (attempts: readonly OpenAttempt[]) =>
    attempts.flatMap((attempt): AttemptEnd[] => {
      const outcome = judgeOverdue(attempt, limits, now);
      return outcome ? [{ attempt_id: attempt.attempt_id, outcome, process_ended: false }] : [];
    });
  const { rows } = await db.query<OpenAttempt>({
    name: "open_attempts",
    text: `select ${COLUMNS} from attempt where state in ('launched', 'running')`,
  });
  const late = judge(rows);
  if (late.length === 0) return { open: rows.length, ended: 0 };
  const written = await db.transaction(async (tx) => {
    const { rows: held } = await tx.query<OpenAttempt>({
      name: "lock_overdue_attempts",
      text: `select ${COLUMNS} from attempt where id = any ($1::uuid[]) and state in ('launched', 'running')
        order by id for no key update`,
      values: [late.map(({ attempt_id }) => attempt_id)],
    });
    return recordOutcomes(tx, rules, judge(held), now);
  });
  return { open: rows.length, ended: written.length };
}
