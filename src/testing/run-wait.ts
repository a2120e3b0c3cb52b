// A task that waits, without anything that it could wait for: its times pass on the run's clock, its function is poked for real,
// and what would come from outside is given by the test, or assumed.

import { createParamsChecker } from "../api/trigger-params.ts";
import { failure, messageOf } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import { judgeAnswer, judgeWait, type Poke, type WaitFacts } from "../core/judge-wait.ts";
import type { WaitOperator } from "../core/operator.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Ended } from "./call-task.ts";

/** What comes from outside. */
export interface Outside {
  /** Options that people choose, by task id. */
  answers: { readonly [taskId: string]: string };
  /** Payloads as JSON, by task id. */
  events: { readonly [taskId: string]: string };
  /** How to give them; null: what is not given is taken to be the best. */
  missing: ((taskId: string, what: "answers" | "events") => string) | null;
}

export interface Looked {
  began_at: Date;
  looks: number;
}

export interface TestedWait {
  task_id: string;
  operator: WaitOperator;
  inputs: JsonObject;
  /** One call of a sensor's function. */
  poke: () => Promise<Poke>;
  /** Nothing comes, as long as it waits. */
  inVain: boolean;
  /** Of its tries so far: timeouts count across them, as when the scheduler looks. */
  looked: Looked;
  note: (text: string) => void;
}

export async function runWait(wait: TestedWait, outside: Outside, clock: Clock): Promise<Ended> {
  const came = wait.inVain ? null : findAnswer(wait, outside);
  if (came) return came;
  const { looked } = wait;
  for (;;) {
    looked.looks += 1;
    const poke = wait.operator.type === "sensor" ? await pokeOnce(wait) : null;
    const now = clock.now();
    const facts: WaitFacts = {
      ...looked,
      first_look_at: looked.began_at,
      inputs: wait.inputs,
      target: null,
      refused: null,
      poke,
      event: null,
    };
    const verdict = judgeWait(wait.operator, facts, now);
    if (verdict.kind === "end") return verdict;
    if (verdict.due_at === null) throw failure("invalid_request", `task "${wait.task_id}" ${verdict.reason} forever`);
    wait.note(wait.operator.type === "sensor" ? verdict.reason : `${verdict.reason}: skipped forward`);
    await clock.sleep(verdict.due_at.getTime() - now.getTime());
  }
}

async function pokeOnce({ poke, inVain }: TestedWait): Promise<Poke> {
  return inVain ? { kind: "returned", value: false } : poke();
}

/** null: it waits for a time, or for its own function, or until it gives up. */
function findAnswer({ task_id, operator, note }: TestedWait, outside: Outside): Ended | null {
  const lacks = (what: "answers" | "events") => {
    if (operator.timeout !== null) return null;
    throw failure("invalid_request", `task "${task_id}" waits for ever: ${outside.missing?.(task_id, what)}`);
  };
  switch (operator.type) {
    case "sensor":
    case "wait_until":
    case "wait_for":
      return null;
    case "event": {
      const text = outside.events[task_id];
      if (text === undefined && outside.missing) return lacks("events");
      if (text === undefined) note(`its event is taken to be {}; give it by --event '${task_id}={…}'`);
      return readEvent(task_id, operator.schema, text ?? "{}");
    }
    case "approval": {
      const chosen = outside.answers[task_id];
      if (chosen === undefined && outside.missing) return lacks("answers");
      const option =
        chosen ?? operator.default ?? operator.options.find((each) => !operator.rejects.includes(each)) ?? "";
      if (!operator.options.includes(option)) {
        const reason = `nobody can answer "${option}" to task ${task_id}: choose one of ${operator.options.join(", ")}`;
        return end("task_failed", reason);
      }
      if (chosen === undefined)
        note(`"${operator.subject}" is answered "${option}"; answer it by --answer ${task_id}=…`);
      return judgeAnswer(operator, { option, user: null, note: null });
    }
    case "trigger_dag":
      note(`DAG "${operator.dag_id}" is not triggered here, and taken to succeed`);
      return end("success", "not triggered here", {
        dag_run_id: "test",
        state: operator.wait ? "success" : "queued",
      });
    case "external_task":
      note(`DAG "${operator.dag_id}" is not looked at here, and taken to be what is waited for`);
      return end("success", "not looked at here", { state: operator.succeeds[0] ?? "success" });
  }
}

function readEvent(taskId: string, schema: JsonObject | null, text: string): Ended {
  try {
    const payload: JsonObject = JSON.parse(text);
    const checked =
      schema === null
        ? payload
        : createParamsChecker().check({ dag_id: taskId, version_id: 0, params_schema: schema }, payload);
    return end("success", "its event was given", checked);
  } catch (error) {
    return end("task_failed", `its event ${text}: ${messageOf(error)}`);
  }
}

function end(kind: "success" | "task_failed", reason: string, result: JsonObject | null = null): Ended {
  return { outcome: { kind, reason, exit_code: null, retryable: false, error: null }, result };
}
