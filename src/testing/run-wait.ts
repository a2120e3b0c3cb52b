// A task that waits, without anything that it could wait for: its times pass on the run's clock, its function is poked for real,
// and what would come from outside is given by the test, or assumed.

import { checkPayload } from "../api/trigger-params.ts";
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
  /** Payloads that fit their schemas, by task id. */
  events: { readonly [taskId: string]: JsonObject };
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
      const payload = outside.events[task_id];
      if (payload) return end("success", "its event was given", payload);
      return outside.missing ? lacks("events") : assumeEvent(task_id, operator.schema, note);
    }
    case "approval": {
      const chosen = outside.answers[task_id];
      if (chosen === undefined && outside.missing) return lacks("answers");
      const [first = ""] = operator.options;
      const option =
        chosen ?? operator.default ?? operator.options.find((each) => !operator.rejects.includes(each)) ?? first;
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

function assumeEvent(taskId: string, schema: JsonObject | null, note: TestedWait["note"]): Ended {
  const how = `give it by --event '${taskId}={…}'`;
  note(`its event is taken to be {}; ${how}`);
  try {
    return end("success", "its event was assumed", schema === null ? {} : checkPayload(taskId, schema, {}));
  } catch (error) {
    return end("task_failed", `its event was taken to be {}, and ${messageOf(error)}; ${how}`);
  }
}

function end(kind: "success" | "task_failed", reason: string, result: JsonObject | null = null): Ended {
  return { outcome: { kind, reason, exit_code: null, retryable: false, error: null }, result };
}
