// A run by hand: its note, and its deletion, which only one that has ended allows, with all that it started gone.

import { ALLOWED_ON_RUN, sayRefusal } from "../core/allowed-actions.ts";
import { failure } from "../core/errors.ts";
import type { RunState } from "../core/states.ts";
import type { Database } from "./database.ts";
import { recordEvents } from "./event-log.ts";

/** Errors: not_found, action_not_allowed. */
export async function deleteRun(
  db: Database,
  run: { dag_id: string; dag_run_id: string; owner: string | null },
  now: Date,
): Promise<void> {
  await db.transaction(async (tx) => {
    const { rows } = await tx.query<{ id: number; state: RunState; remains: boolean }>({
      name: "lock_run_to_delete",
      text: `
        select id, state, exists (
          select from attempt a join task_instance t on t.id = a.task_instance_id
          where t.run_id = r.id and a.cleaned_at is null) as remains
        from dag_run r where dag_id = $1 and dag_run_id = $2 for update`,
      values: [run.dag_id, run.dag_run_id],
    });
    const found = rows[0];
    if (!found) throw failure("not_found", `DAG "${run.dag_id}" has no run "${run.dag_run_id}"`);
    const allowed = ALLOWED_ON_RUN[found.state];
    if (!allowed.includes("delete")) {
      throw failure("action_not_allowed", sayRefusal(`run "${run.dag_run_id}"`, found.state, "delete", allowed));
    }
    if (found.remains) {
      throw failure(
        "action_not_allowed",
        `pods of run "${run.dag_run_id}" are still being removed; try again in a moment`,
      );
    }
    await recordEvents(tx, [{ event: "delete_dag_run", ...run }], now);
    await tx.query({ name: "delete_run", text: "delete from dag_run where id = $1", values: [found.id] });
  });
}

/** A person's note; null takes it away. */
export async function changeRunNote(
  db: Database,
  run: { dag_id: string; dag_run_id: string; owner: string | null },
  note: string | null,
  now: Date,
): Promise<void> {
  await db.transaction(async (tx) => {
    const { rowCount } = await tx.query({
      name: "set_run_note",
      text: "update dag_run set note = $3 where dag_id = $1 and dag_run_id = $2",
      values: [run.dag_id, run.dag_run_id, note],
    });
    if (rowCount === 0) throw failure("not_found", `DAG "${run.dag_id}" has no run "${run.dag_run_id}"`);
    await recordEvents(tx, [{ event: "patch_dag_run_note", ...run }], now);
  });
}
