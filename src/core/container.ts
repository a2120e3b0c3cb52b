// Tasks that run an image of the author's, without our worker in it: which environment and arguments its container gets, and
// what its exit code and its termination message mean.

import type { ContainerDefinition, Expression, TaskDefinition } from "./definition.ts";
import type { FieldError } from "./errors.ts";
import { isJsonObject, type Json, type JsonObject } from "./json.ts";
import type { Outcome } from "./outcome.ts";
import type { ExitMeaning, KnownExits } from "./pod-outcome.ts";
import { findMain, type PodSnapshot } from "./pod-snapshot.ts";

/** A container with everything in it that the pod needs. */
export interface ResolvedContainer {
  image: string;
  /** Kubernetes' command; null: the image's own. */
  cmds: string[] | null;
  /** Kubernetes' args; null: the image's own. */
  arguments: string[] | null;
  env: { [name: string]: string };
  skip_on_exit_codes: number[];
  result_file: string | null;
  /** Seconds that the pod may live; null: no limit. */
  active_deadline: number | null;
}

export type ContainerResolution =
  | { kind: "resolved"; container: ResolvedContainer }
  /** A value that no variable or argument can hold: trying again would not change it. */
  | { kind: "fault"; reason: string };

const RESULT_FILE = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+){2,10}$/;

/** In a folder of its own, which becomes a volume: the root cannot. */
export function isResultFile(path: string): boolean {
  return RESULT_FILE.test(path);
}

const VARIABLE_NAME = /^[A-Za-z_.-][A-Za-z0-9_.-]*$/;
const SCALARS = "text, a number or a boolean";

/** What is wrong with a container's inputs as far as it can be known before the run. */
export function findContainerFaults(inputs: TaskDefinition["inputs"]): FieldError[] {
  const faults: FieldError[] = [];
  for (const [name, expression] of Object.entries(inputs)) {
    if (name === "env") faults.push(...findEnvFaults(expression));
    else if (name === "arguments") faults.push(...findArgumentFaults(expression));
    else faults.push({ path: name, message: 'is unknown: a pod takes the inputs "env" and "arguments"' });
  }
  return faults;
}

function findEnvFaults(expression: Expression): FieldError[] {
  const entries = entriesOf(expression);
  if (entries === null) return [];
  if (entries === "list" || entries === "scalar") {
    return [{ path: "env", message: "must be an object of variables" }];
  }
  return entries.flatMap(([name, value]): FieldError[] => {
    const path = `env.${name}`;
    if (!VARIABLE_NAME.test(name)) return [{ path, message: "is not a name that a variable may have" }];
    return isScalar(value, true) ? [] : [{ path, message: `must be ${SCALARS}` }];
  });
}

function findArgumentFaults(expression: Expression): FieldError[] {
  if (expression.kind === "array") {
    return expression.items.flatMap((item, index) =>
      isScalar(item, false) ? [] : [{ path: `arguments[${index}]`, message: `must be ${SCALARS}` }],
    );
  }
  if (expression.kind === "object" || (expression.kind === "value" && !Array.isArray(expression.value))) {
    return [{ path: "arguments", message: "must be a list" }];
  }
  if (expression.kind !== "value") return [];
  const items = (expression.value as Json[]).map((value): Expression => ({ kind: "value", value }));
  return findArgumentFaults({ kind: "array", items });
}

/** null: known only when the task runs. */
function entriesOf(expression: Expression): [string, Expression][] | "list" | "scalar" | null {
  switch (expression.kind) {
    case "object":
      return Object.entries(expression.fields);
    case "array":
      return "list";
    case "value":
      if (expression.value === null || typeof expression.value !== "object") return "scalar";
      if (Array.isArray(expression.value)) return "list";
      return Object.entries(expression.value).map(([name, value]) => [name, { kind: "value", value }]);
    case "param":
    case "result":
    case "item":
    case "run":
      return null;
  }
}

function isScalar(expression: Expression, orNull: boolean): boolean {
  if (expression.kind === "object" || expression.kind === "array") return false;
  return expression.kind !== "value" || toText(expression.value) !== null || (orNull && expression.value === null);
}

/** @param values the task's inputs, resolved */
export function resolveContainer(
  task: TaskDefinition,
  definition: ContainerDefinition,
  values: JsonObject,
): ContainerResolution {
  const faults: string[] = [];
  const env = { ...definition.env };
  for (const [name, value] of Object.entries(isJsonObject(values["env"]) ? values["env"] : {})) {
    const text = toText(value);
    if (!VARIABLE_NAME.test(name)) faults.push(`env.${name} is not a name that a variable may have`);
    else if (text !== null) env[name] = asWritten(task.inputs["env"], name) ? text : escapeText(text);
    // What the run does not have is left out, a default of the same name too.
    else if (value === null) delete env[name];
    else faults.push(`env.${name} is ${describe(value)}, but must be ${SCALARS}`);
  }
  const variables = values["env"];
  if (variables !== undefined && !isJsonObject(variables)) {
    faults.push(`env is ${describe(variables)}, but must be an object`);
  }
  const given = values["arguments"];
  if (given !== undefined && !Array.isArray(given)) faults.push(`arguments is ${describe(given)}, but must be a list`);
  const args = (Array.isArray(given) ? given : []).map((value, index) => {
    const text = toText(value);
    if (text === null) faults.push(`arguments[${index}] is ${describe(value)}, but must be ${SCALARS}`);
    return asWritten(task.inputs["arguments"], index) ? (text ?? "") : escapeText(text ?? "");
  });
  if (faults.length > 0) return { kind: "fault", reason: `The container cannot be made: ${faults.join("; ")}` };
  const container: ResolvedContainer = {
    image: definition.image,
    cmds: definition.cmds,
    arguments: given === undefined ? definition.arguments : args,
    env,
    skip_on_exit_codes: definition.skip_on_exit_codes,
    result_file: definition.result_file ?? null,
    active_deadline: task.execution_timeout,
  };
  return { kind: "resolved", container };
}

/** Whether the author wrote the value, who may use Kubernetes' $(NAME) in it; what comes from data is taken literally. */
function asWritten(expression: Expression | undefined, key: string | number): boolean {
  if (expression?.kind === "value") return true;
  if (expression?.kind === "object") return expression.fields[key]?.kind === "value";
  return expression?.kind === "array" && expression.items[Number(key)]?.kind === "value";
}

function escapeText(text: string): string {
  return text.replaceAll("$", "$$$$");
}

function toText(value: Json): string | null {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : null;
}

function describe(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `the ${typeof value} ${value}`;
}

/** Nobody reports from inside such a container, so its exit code is the outcome. */
export function containerExits(skipOnExitCodes: readonly number[]): KnownExits {
  const exits: Map<number, ExitMeaning> = new Map();
  exits.set(0, { kind: "success", reason: "The container exited with code 0" });
  for (const code of skipOnExitCodes) {
    exits.set(code, { kind: "skipped", reason: `The container exited with code ${code}, which skips the task` });
  }
  return exits;
}

// What a node keeps of each container's termination message, and of all those of a pod together.
const MESSAGE_BYTES = 4_096;
const MESSAGES_BYTES = 12_288;
/** The kubelet's own words, in place of the message. */
const UNREADABLE = "Error on reading termination log ";

/** The termination message of a container that succeeded, as JSON; null when it left none, or something else. */
export function readContainerResult(pod: PodSnapshot): Json {
  return parseMessage(messageOf(pod));
}

/** A result of which the node has kept a part is none, and nobody is to go on without it. */
export function judgeMessage(pod: PodSnapshot | null, outcome: Outcome | null): Outcome | null {
  const message = pod === null ? null : messageOf(pod);
  if (pod === null || message === null || outcome?.kind !== "success" || parseMessage(message) !== null) return outcome;
  if (message.startsWith(UNREADABLE)) {
    return { ...outcome, kind: "lost", reason: `The container succeeded, but its node lost its result: ${message}` };
  }
  const kept = Math.min(MESSAGE_BYTES, Math.floor(MESSAGES_BYTES / pod.containers.length));
  if (Buffer.byteLength(message) < kept) return outcome;
  return {
    ...outcome,
    kind: "task_failed",
    reason: `The container's result cannot be used: of what it wrote to /dev/termination-log the node kept only ${kept} bytes, and they are not JSON; let it write to a file (option result)`,
  };
}

function messageOf(pod: PodSnapshot): string | null {
  const main = findMain(pod);
  return main?.state.kind === "terminated" ? main.state.message : null;
}

function parseMessage(message: string | null): Json {
  if (message === null) return null;
  try {
    return JSON.parse(message) as Json;
  } catch {
    // Kubernetes' own convention is free text there.
    return null;
  }
}
