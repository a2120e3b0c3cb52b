// Looks at tasks that wait without a pod: claims those that are due under a lease, finds out what they wait for, and writes
// down what came of it. A sensor's function is called in a sealed child of its own, off the loop and many at once, so that a
// slow or crashing one holds nobody up.

import { isFailure, messageOf } from "../core/errors.ts";
import { judgeWait, type Poke, type WaitFacts } from "../core/judge-wait.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { isWait, type WaitOperator } from "../core/operator.ts";
import { resolveInputs } from "../core/inputs.ts";
import {
  claimDueWaits,
  type ClaimedWait,
  extendWaits,
  findNextWait,
  type Look,
  recordWaits,
  type WaitRecord,
} from "../store/deferrals.ts";
import { readEarlyEvent } from "../store/early-events.ts";
import { readInputSources } from "../store/input-sources.ts";
import { runFacts } from "../store/run-row.ts";
import { ensureTriggeredRun, readExternalTarget, readRunTarget, type WaitTarget } from "../store/wait-targets.ts";
import type { SchedulerContext } from "./activity.ts";
import { callAuthor } from "./call-author.ts";
import { createLeasedWork, type LeasedWork } from "./leased-work.ts";

/** One call of a sensor's function. */
const POKE_LIMIT_MS = 60_000;
/** Longer than Postgres is mostly away: who cannot renew keeps it that long, and no poke runs twice at once. */
const LEASE_MS = 60_000;
/** Looks under way at once, each a query or a child process. */
const MOST_AT_ONCE = 16;

export function createDeferredLooks(context: SchedulerContext, wake: () => void): LeasedWork {
  const { db, rules, holder } = context;
  return createLeasedWork<ClaimedWait, WaitRecord>(
    context,
    {
      name: "resume-deferred",
      mostAtOnce: () => MOST_AT_ONCE,
      leaseMs: LEASE_MS,
      keyOf: nameLook,
      claim: (limit, now) => claimDueWaits(db, { holder, limit, leaseMs: LEASE_MS }, now),
      extend: async (waits, until) => (await extendWaits(db, waits, until)).map(nameLook),
      work: (wait, { signal }) => look(context, wait, signal),
      record: (records, now) => recordWaits(db, rules, records, now),
      findNext: (now) => findNextWait(db, now),
    },
    wake,
  );
}

function nameLook({ task_instance_id, began_at, looks }: Look): string {
  return `${task_instance_id} ${began_at.getTime()} ${looks}`;
}

/** null: it was broken off, so nothing is known. */
async function look(context: SchedulerContext, wait: ClaimedWait, signal: AbortSignal): Promise<WaitRecord | null> {
  const { db, rules, clock } = context;
  const { graph, bundle_hash } = await rules.versions.loadVersion(db, wait.version_id);
  const task = graph.tasks.get(wait.task_id);
  const operator = task?.operator;
  if (!task || !isWait(operator)) throw new Error(`task ${wait.task_id} of ${wait.dag_id} does not wait`);
  const run = runFacts(wait);
  const inputs = resolveInputs(task, await readInputSources(db, wait, graph, task, wait));
  const facts: WaitFacts = { ...wait, inputs, target: null, refused: null, poke: null, event: null };
  let target: WaitTarget | null = null;
  switch (operator.type) {
    case "trigger_dag": {
      const found = await findTriggered(context, operator, wait, inputs);
      if (typeof found === "string") facts.refused = found;
      else target = found;
      break;
    }
    case "external_task":
      target = await findExternal(context, operator, inputs);
      break;
    case "sensor": {
      const { task_id, map_index, try_number, max_tries, params } = wait;
      const runtime = { ...run, task_id, map_index, try_number, max_tries, params };
      const call = { dag_id: wait.dag_id, of: "task" as const, name: task_id, inputs, runtime, timeMs: POKE_LIMIT_MS };
      facts.poke = await callAuthor(context, bundle_hash, task, call, signal).catch((error: unknown): Poke => ({
        kind: "not_called",
        reason: messageOf(error),
      }));
      if (signal.aborted) return null;
      break;
    }
    case "event":
      facts.event = await readEarlyEvent(db, wait.task_instance_id);
      break;
    case "wait_until":
    case "wait_for":
    case "approval":
      break;
  }
  facts.target = target;
  const verdict = judgeWait(operator, facts, clock.now());
  return { wait, verdict, awaited_run_id: verdict.kind === "wait" && target !== null ? target.id : null };
}

async function findTriggered(
  { db, checkParams, clock }: SchedulerContext,
  operator: WaitOperator & { type: "trigger_dag" },
  wait: ClaimedWait,
  inputs: JsonObject,
): Promise<WaitTarget | string> {
  const dag_run_id = `triggered__${wait.task_instance_id}__${wait.try_number}`;
  const known = await readRunTarget(db, operator.dag_id, dag_run_id);
  if (known) return known;
  const conf = inputs["conf"] ?? {};
  if (!isJsonObject(conf)) return "its input conf is not an object";
  try {
    return await ensureTriggeredRun(db, { dag_id: operator.dag_id, dag_run_id, conf }, checkParams, clock.now());
  } catch (error) {
    if (isFailure(error, "invalid_params")) return messageOf(error);
    throw error;
  }
}

async function findExternal(
  { db }: SchedulerContext,
  operator: WaitOperator & { type: "external_task" },
  { run_id, logical_date }: JsonObject,
): Promise<WaitTarget | null> {
  const text = (value: unknown) => (typeof value === "string" ? value : null);
  const date = text(logical_date);
  if (text(run_id) === null && (date === null || Number.isNaN(Date.parse(date)))) return null;
  const { dag_id, task_id } = operator;
  return readExternalTarget(db, { dag_id, task_id, run_id: text(run_id), logical_date: date });
}
