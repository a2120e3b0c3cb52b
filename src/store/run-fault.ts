// What fails in one run for reasons of its own must not hold up the others: the error says which run it was, so that its caller
// can leave that run aside for a while.

import { failure, isFailure, messageOf, type WindlassError } from "../core/errors.ts";
import type { Database, Queryable } from "./database.ts";

export interface RunFault extends WindlassError {
  run_id: number;
}

export function isRunFault(error: unknown): error is RunFault {
  return isFailure(error, "internal") && "run_id" in error;
}

/** One transaction on the run that `lock` finds; null: it finds none. Throws a RunFault for what is the run's own. */
export async function workOnRun<Run extends { id: number }, Done>(
  db: Database,
  lock: (tx: Queryable) => Promise<Run | undefined>,
  work: (tx: Queryable, run: Run) => Promise<Done>,
): Promise<Done | null> {
  let run: Run | undefined;
  try {
    return await db.transaction(async (tx) => {
      run = await lock(tx);
      return run === undefined ? null : work(tx, run);
    });
  } catch (error) {
    if (run === undefined || isFailure(error, "unavailable")) throw error;
    throw runFault(run.id, error);
  }
}

export function runFault(runId: number, cause: unknown): RunFault {
  return Object.assign(failure("internal", `the run cannot go on: ${messageOf(cause)}`, { cause }), { run_id: runId });
}

/** Says so where people look; whoever moves the run on takes it away. */
export async function recordRunFault(db: Queryable, fault: RunFault): Promise<void> {
  await db.query({
    name: "record_run_fault",
    text: "update dag_run set reason = $2 where id = $1 and state = 'running' and ends_as is null",
    values: [fault.run_id, fault.message],
  });
}
