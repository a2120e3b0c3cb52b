// Tasks that wait, in `windlass dags test`: sensors are poked for real, in this process, on a clock that is moved forward from
// poke to poke; times are skipped, and what would come from outside is taken from the command line.

import { createParamsChecker } from "../../api/trigger-params.ts";
import { failure, messageOf } from "../../core/errors.ts";
import { judgeAnswer, judgeWait, type Poke, type WaitFacts } from "../../core/judge-wait.ts";
import type { Json, JsonObject } from "../../core/json.ts";
import type { WaitOperator } from "../../core/operator.ts";
import type { Outcome } from "../../core/outcome.ts";
import type { Clock } from "../../lifecycle/clock.ts";

/** What comes from outside, by task id. */
export interface FromOutside {
  answers: ReadonlyMap<string, string>;
  events: ReadonlyMap<string, string>;
}

export interface TestedWait {
  task_id: string;
  operator: WaitOperator;
  inputs: JsonObject;
  /** One call of a sensor's function. */
  poke: () => Promise<Poke>;
  note: (text: string) => void;
}

type Ended = { outcome: Outcome; result: Json };

/** Between two pokes, however long the pause would be. */
const LONGEST_PAUSE_MS = 1_000;

/** `task=value`, as often as there are such tasks. Errors: invalid_request. */
export function parsePairs(given: readonly string[], flag: string): Map<string, string> {
  return new Map(
    given.map((pair) => {
      const cut = pair.indexOf("=");
      if (cut > 0) return [pair.slice(0, cut), pair.slice(cut + 1)];
      throw failure(
        "invalid_request",
        `${flag} "${pair}" names no task; an example is ${flag} approve_release=approve`,
      );
    }),
  );
}

export async function runTestedWait(wait: TestedWait, outside: FromOutside, clock: Clock): Promise<Ended> {
  const { task_id, operator } = wait;
  switch (operator.type) {
    case "sensor":
      return pokeThrough(wait, clock);
    case "wait_until":
    case "wait_for": {
      const verdict = judgeWait(operator, factsOf(wait, clock.now()), clock.now());
      if (verdict.kind === "end") return verdict;
      wait.note(`${verdict.reason}: skipped forward`);
      return succeed(null, verdict.reason);
    }
    case "event": {
      const text = outside.events.get(task_id);
      if (text === undefined) wait.note(`its event is taken to be {}; give it by --event '${task_id}={…}'`);
      return succeed(parseEvent(task_id, operator.schema, text ?? "{}"), "its event was given");
    }
    case "approval": {
      const chosen = outside.answers.get(task_id);
      const option =
        chosen ?? operator.default ?? operator.options.find((each) => !operator.rejects.includes(each)) ?? "";
      if (!operator.options.includes(option)) {
        throw failure("invalid_request", `--answer ${task_id}=${option}: choose one of ${operator.options.join(", ")}`);
      }
      if (chosen === undefined)
        wait.note(`"${operator.subject}" is answered "${option}"; answer it by --answer ${task_id}=…`);
      return judgeAnswer(operator, { option, user: null, note: null });
    }
    case "trigger_dag":
      wait.note(`DAG "${operator.dag_id}" is not triggered here, and taken to succeed`);
      return succeed({ dag_run_id: "test", state: operator.wait ? "success" : "queued" }, "not triggered here");
    case "external_task":
      wait.note(`DAG "${operator.dag_id}" is not looked at here, and taken to be what is waited for`);
      return succeed({ state: operator.succeeds[0] ?? "success" }, "not looked at here");
  }
}

async function pokeThrough({ poke, note, ...wait }: TestedWait, clock: Clock): Promise<Ended> {
  const began = clock.now();
  let now = began;
  for (let looks = 1; ; looks += 1) {
    const facts = { ...factsOf(wait, began), looks, poke: await poke() };
    const verdict = judgeWait(wait.operator, facts, now);
    if (verdict.kind === "end") return verdict;
    note(verdict.reason);
    const due = verdict.due_at ?? now;
    await clock.sleep(Math.min(LONGEST_PAUSE_MS, due.getTime() - now.getTime()));
    now = due;
  }
}

function factsOf({ inputs }: Pick<TestedWait, "inputs">, began: Date): WaitFacts {
  return { began_at: began, first_look_at: began, looks: 1, inputs, target: null, refused: null, poke: null };
}

function parseEvent(taskId: string, schema: JsonObject | null, text: string): Json {
  try {
    const payload: JsonObject = JSON.parse(text);
    if (schema === null) return payload;
    return createParamsChecker().check({ dag_id: taskId, version_id: 0, params_schema: schema }, payload);
  } catch (error) {
    throw failure("invalid_request", `--event ${taskId}=${text}: ${messageOf(error)}`, { cause: error });
  }
}

function succeed(result: Json, reason: string): Ended {
  return { outcome: { kind: "success", reason, exit_code: null, error: null }, result };
}
