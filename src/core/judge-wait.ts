// What one look at a waiting task comes to: it goes on waiting until a time, or ends. Pure: the store reads the facts, the
// scheduler pokes sensors, and what is decided here is performed in one transaction.

import { isJsonObject, type Json, type JsonObject } from "./json.ts";
import type { WaitOperator } from "./operator.ts";
import type { Outcome, OutcomeKind } from "./outcome.ts";
import { clause, sayInstant } from "./phrase.ts";

/** What a sensor's function came to. */
export type Poke =
  | { kind: "returned"; value: Json }
  | { kind: "failed"; outcome: Outcome }
  /** It could not be called at all: our own fault, which costs it nothing. */
  | { kind: "not_called"; reason: string };

/** It came before its task waited for it. */
export interface EarlyEvent {
  payload: Json;
  delivered_at: Date;
}

export interface WaitFacts {
  began_at: Date;
  first_look_at: Date;
  /** This one included. */
  looks: number;
  inputs: JsonObject;
  /** Of the run or task that is waited for; state null: it is there and has none yet. */
  target: { dag_run_id: string; state: string | null } | null;
  /** Why the run that it should trigger cannot be made. */
  refused: string | null;
  poke: Poke | null;
  /** That was kept for it. */
  event: EarlyEvent | null;
}

export type WaitVerdict =
  | { kind: "wait"; due_at: Date | null; reason: string }
  | { kind: "end"; outcome: Outcome; result: Json };

/** The end of another run wakes its waiters; this is for a wake-up that was missed. */
const RUN_LOOK_SECONDS = 60;
const LONGEST_BACKOFF_SECONDS = 3_600;

export function judgeWait(operator: WaitOperator, facts: WaitFacts, now: Date): WaitVerdict {
  const verdict = look(operator, facts, now);
  if (verdict.kind === "end" || operator.timeout === null) return verdict;
  const timeoutAt = addSeconds(facts.first_look_at, operator.timeout);
  if (now >= timeoutAt) return giveUp(operator);
  const due = verdict.due_at === null || verdict.due_at > timeoutAt ? timeoutAt : verdict.due_at;
  return { ...verdict, due_at: due, reason: `${verdict.reason}; it gives up at ${sayInstant(timeoutAt)}` };
}

function look(operator: WaitOperator, facts: WaitFacts, now: Date): WaitVerdict {
  switch (operator.type) {
    case "wait_until": {
      const text = facts.inputs["until"];
      const until = typeof text === "string" ? new Date(text) : null;
      if (until === null || Number.isNaN(until.getTime())) {
        return end(
          "task_failed",
          `its input "until" is ${JSON.stringify(text ?? null)}, which is not an instant`,
          false,
        );
      }
      return waitForTime(until, now);
    }
    case "wait_for":
      return waitForTime(addSeconds(facts.began_at, operator.seconds), now);
    case "event":
      if (facts.event === null) {
        return { kind: "wait", due_at: null, reason: "waits for an event from outside, by POST …/event" };
      }
      return end("success", `its event had come at ${sayInstant(facts.event.delivered_at)}`, true, facts.event.payload);
    case "approval": {
      const options = operator.options.map((option) => `"${option}"`).join(" or ");
      const reason = `waits for a person to answer "${clause(operator.subject, 200)}" with ${options}, by PATCH …/hitlDetails`;
      return { kind: "wait", due_at: null, reason };
    }
    case "trigger_dag":
      return judgeTriggered(operator, facts, now);
    case "external_task":
      return judgeExternal(operator, facts, now);
    case "sensor":
      return judgePoke(operator, facts, now);
  }
}

function waitForTime(until: Date, now: Date): WaitVerdict {
  if (now >= until) return end("success", `it is ${sayInstant(until)}`);
  return { kind: "wait", due_at: until, reason: `waits until ${sayInstant(until)}` };
}

function judgeTriggered(operator: WaitOperator & { type: "trigger_dag" }, facts: WaitFacts, now: Date): WaitVerdict {
  const { target, refused } = facts;
  if (target === null) return end("task_failed", refused ?? `DAG "${operator.dag_id}" was not triggered`, false);
  const name = `run "${target.dag_run_id}" of DAG "${operator.dag_id}"`;
  const result = { dag_run_id: target.dag_run_id, state: target.state };
  if (!operator.wait) return end("success", `it triggered ${name}`, true, result);
  if (target.state === "success") return end("success", `${name} succeeded`, true, result);
  if (target.state === "failed") return end("task_failed", `${name} failed`);
  return { kind: "wait", due_at: addSeconds(now, RUN_LOOK_SECONDS), reason: `waits for ${name} to end` };
}

function judgeExternal(operator: WaitOperator & { type: "external_task" }, facts: WaitFacts, now: Date): WaitVerdict {
  const { target } = facts;
  const what = operator.task_id === null ? "" : `task "${operator.task_id}" of `;
  const run = facts.inputs["run_id"] ?? facts.inputs["logical_date"];
  if (typeof run !== "string")
    return end("task_failed", "neither run_id nor logical_date says which run it waits for", false);
  const name = `${what}run "${target?.dag_run_id ?? run}" of DAG "${operator.dag_id}"`;
  const state = target?.state ?? null;
  if (state !== null && operator.succeeds.includes(state))
    return end("success", `${name} is ${state}`, true, { state });
  if (state !== null && operator.fails.includes(state)) return end("task_failed", `${name} is ${state}`);
  const due = addSeconds(now, operator.every);
  const seen = target === null ? "there is none yet" : `it is ${state ?? "waiting"}`;
  return { kind: "wait", due_at: due, reason: `waits for ${name} (${seen}), looks again at ${sayInstant(due)}` };
}

function judgePoke(operator: WaitOperator & { type: "sensor" }, facts: WaitFacts, now: Date): WaitVerdict {
  const { poke, looks } = facts;
  const due = addSeconds(now, pokeInterval(operator, looks));
  const again = (why: string): WaitVerdict => ({
    kind: "wait",
    due_at: due,
    reason: `${why}, poked ${looks} ${looks === 1 ? "time" : "times"}, again at ${sayInstant(due)}`,
  });
  if (poke === null) return again("is poked");
  switch (poke.kind) {
    case "not_called":
      return again(`could not be poked (${clause(poke.reason, 200)})`);
    case "failed":
      if (operator.soft_fail && poke.outcome.kind !== "skipped")
        return end("skipped", `its poke failed: ${poke.outcome.reason}`);
      return { kind: "end", outcome: poke.outcome, result: null };
    case "returned": {
      const { value } = poke;
      if (value === false) return again("has not seen what it waits for");
      if (value === true) return end("success", "it saw what it waited for");
      if (isJsonObject(value) && typeof value["done"] === "boolean") {
        if (!value["done"]) return again("has not seen what it waits for");
        return end("success", "it saw what it waited for", true, value["value"] ?? null);
      }
      // Not the value itself: it may hold what the sensor was given in confidence.
      const what = value === null ? "nothing" : Array.isArray(value) ? "an array" : `a value of type ${typeof value}`;
      return end("task_failed", `its function returned ${what}; return a boolean, or { done: true, value }`, false);
    }
  }
}

/** Seconds until the next poke: with backoff 1, 2, 4 … times `every`, at most an hour unless `every` is longer. */
export function pokeInterval(operator: { every: number; backoff: boolean }, looks: number): number {
  if (!operator.backoff) return operator.every;
  const grown = operator.every * 2 ** Math.min(30, looks - 1);
  return Math.max(operator.every, Math.min(grown, LONGEST_BACKOFF_SECONDS));
}

function giveUp(operator: WaitOperator): WaitVerdict {
  const reason = `what it waited for did not come within ${operator.timeout} s`;
  if (operator.type === "approval" && operator.default !== null) {
    return judgeAnswer(operator, {
      option: operator.default,
      user: null,
      note: `nobody answered within ${operator.timeout} s`,
    });
  }
  return operator.soft_fail ? end("skipped", reason) : end("timed_out", reason, false);
}

export interface Answer {
  option: string;
  /** null: nobody, the default was taken; or an installation without sign-in. */
  user: string | null;
  note: string | null;
}

/** The end that a person's answer is: options that reject skip the task, and with it what needs it. */
export function judgeAnswer(
  operator: WaitOperator & { type: "approval" },
  answer: Answer,
): WaitVerdict & { kind: "end" } {
  const by = answer.user === null ? "" : ` by ${answer.user}`;
  const note = answer.note === null ? "" : ` (${clause(answer.note, 200)})`;
  const reason = `answered "${answer.option}"${by}${note}`;
  return end(operator.rejects.includes(answer.option) ? "skipped" : "success", reason, true, { ...answer });
}

function end(kind: OutcomeKind, reason: string, retryable = true, result: Json = null): WaitVerdict & { kind: "end" } {
  return { kind: "end", outcome: { kind, reason, exit_code: null, retryable, error: null }, result };
}

function addSeconds(at: Date, seconds: number): Date {
  return new Date(at.getTime() + seconds * 1000);
}
