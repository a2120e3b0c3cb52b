// What must hold at the end, whatever was done meanwhile: pure functions of what the tasks wrote down and what Windlass says.

import { TASK_OUTCOMES } from "../../src/core/outcome.ts";
import type { LedgerEntry } from "./ledger.ts";
import type { AttemptRow, InstanceRow, State } from "./state.ts";
import { DAGS, type ExpectedTask, type PlannedRun } from "./workload.ts";

export interface Violation {
  rule: "lost" | "overlap" | "repeated" | "retries" | "leftover" | "wrong_result" | "crash" | "memory";
  /** Of the task instance, `run/task`; of a process its name. */
  subject: string;
  detail: string;
}

const SPENDS_RETRY: ReadonlySet<string> = new Set(TASK_OUTCOMES);

export function checkOutcome(plan: readonly PlannedRun[], state: State, entries: readonly LedgerEntry[]): Violation[] {
  return [
    ...checkRuns(plan, state),
    ...checkProcesses(entries),
    ...checkAttempts(state, entries),
    ...checkResults(state, entries),
  ];
}

/** Every run is there and ended as it should, with every task in it, and no try more than its own failures ask for. */
function checkRuns(plan: readonly PlannedRun[], { runs, instances }: State): Violation[] {
  const found: Violation[] = [];
  const runById = new Map(runs.map((run) => [run.run_id, run]));
  const instanceById = new Map(instances.map((one) => [`${one.run_id}/${one.task_id}`, one]));
  for (const { run_id, dag_id } of plan) {
    const expected = DAGS[dag_id];
    const run = runById.get(run_id);
    if (run?.state !== expected.state) {
      const detail = `run of ${dag_id} is ${run?.state ?? "not there"}, not ${expected.state}`;
      found.push({ rule: "lost", subject: run_id, detail });
    }
    for (const [task_id, task] of Object.entries<ExpectedTask>(expected.tasks)) {
      found.push(...checkInstance(`${run_id}/${task_id}`, instanceById.get(`${run_id}/${task_id}`), task));
    }
  }
  return found;
}

function checkInstance(subject: string, found: InstanceRow | undefined, expected: ExpectedTask): Violation[] {
  if (found?.state !== expected.state) {
    const detail = `is ${found?.state ?? "not there"}, not ${expected.state}: ${found?.reason ?? "no reason"}`;
    return [{ rule: "lost", subject, detail }];
  }
  if (expected.tries > 0 && found.try_number !== expected.tries) {
    const detail = `took ${found.try_number} tries, not ${expected.tries}: ${found.reason ?? "no reason"}`;
    return [{ rule: "retries", subject, detail }];
  }
  return [];
}

interface Life {
  worker: string;
  subject: string;
  said: string | null;
  /** Its success has been taken note of. */
  succeeded: boolean;
  over: boolean;
}

/** In the order of events: no two processes of one task at once, none after a success, none of an attempt that ran before. */
function checkProcesses(entries: readonly LedgerEntry[]): Violation[] {
  const found: Violation[] = [];
  const lives = new Map<string, Life>();
  const bySubject = new Map<string, Life[]>();
  for (const entry of entries) {
    if (entry.event === "exit") {
      const life = lives.get(entry.worker);
      if (!life) continue;
      life.over = true;
      life.succeeded ||= entry.accepted && life.said === "end";
      continue;
    }
    const subject = `${entry.run_id}/${entry.task_id}`;
    if (entry.event !== "begin") {
      const life = lives.get(entry.worker);
      // Its code has run: what is left is the report.
      if (life) Object.assign(life, { said: entry.event, over: true });
      continue;
    }
    const before = bySubject.get(subject) ?? [];
    const life: Life = { worker: entry.worker, subject, said: null, succeeded: false, over: false };
    for (const other of before) {
      if (!other.over)
        found.push({ rule: "overlap", subject, detail: `${entry.worker} began while ${other.worker} ran` });
      if (other.succeeded)
        found.push({ rule: "repeated", subject, detail: `${entry.worker} began after the success of ${other.worker}` });
      if (podOf(other) === podOf(life))
        found.push({ rule: "repeated", subject, detail: `${entry.worker} began in the pod of ${other.worker}` });
    }
    lives.set(entry.worker, life);
    bySubject.set(subject, [...before, life]);
  }
  return found;
}

const podOf = ({ worker }: { worker: string }) => worker.slice(0, worker.indexOf("/"));

/** Every attempt ended and was cleaned up; those that spent a retry failed by the task's own doing, as it says itself. */
function checkAttempts({ attempts }: State, entries: readonly LedgerEntry[]): Violation[] {
  const found: Violation[] = [];
  const thrown = new Set(entries.flatMap((entry) => (entry.event === "throw" ? [podOf(entry)] : [])));
  const succeeded = new Map<string, AttemptRow>();
  for (const attempt of attempts) {
    const subject = `${attempt.run_id}/${attempt.task_id}`;
    const name = `attempt ${attempt.epoch}`;
    if (attempt.outcome === null) found.push({ rule: "lost", subject, detail: `${name} is still ${attempt.state}` });
    else if (attempt.cleaned_at === null)
      found.push({ rule: "leftover", subject, detail: `${name} was not cleaned up` });
    const earlier = succeeded.get(subject);
    if (earlier) found.push({ rule: "repeated", subject, detail: `${name} follows on success ${earlier.epoch}` });
    if (attempt.outcome === "success") succeeded.set(subject, attempt);
    if (attempt.outcome === null || !SPENDS_RETRY.has(attempt.outcome)) continue;
    // The one that sleeps into its timeout never gets to say anything.
    if (attempt.outcome === "timed_out" && attempt.task_id === "slow") continue;
    if (attempt.pod_name !== null && thrown.has(attempt.pod_name)) continue;
    const detail = `${name} spent a retry that is not the task's: ${attempt.outcome}, ${attempt.outcome_reason}`;
    found.push({ rule: "retries", subject, detail });
  }
  return found;
}

/** A result is that of the process that said that it ended. */
function checkResults({ instances }: State, entries: readonly LedgerEntry[]): Violation[] {
  const ended = new Set(entries.flatMap((entry) => (entry.event === "end" ? [entry.worker] : [])));
  const byTask = new Set(
    entries.flatMap((entry) => (entry.event === "end" ? [`${entry.run_id}/${entry.task_id}`] : [])),
  );
  return instances.flatMap(({ run_id, task_id, state, result }): Violation[] => {
    const subject = `${run_id}/${task_id}`;
    if (state !== "success") return [];
    if (!byTask.has(subject)) return [{ rule: "lost", subject, detail: "is success, and no process of it ended" }];
    const worker = result?.worker;
    if (worker === undefined || ended.has(worker)) return [];
    return [{ rule: "wrong_result", subject, detail: `has the result of ${worker}, which did not end` }];
  });
}
