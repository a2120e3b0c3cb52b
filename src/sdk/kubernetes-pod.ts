// Tasks that run any image, with nothing of Windlass in it.

import type { ContainerDefinition, Expression } from "../core/definition.ts";
import type { Json } from "../core/json.ts";
import type { OutletOptions } from "./asset-runtime.ts";
import { authorError, atAuthorsLine, describeValue } from "./author-error.ts";
import { createTask, readBlueprint, type Task } from "./create-task.ts";
import { checkIdentifier } from "./identifier.ts";
import { checkImage } from "./image.ts";
import type { Output } from "./output.ts";
import { SECRET_OPTIONS } from "./task-secrets.ts";
import { refuseUnknownOptions, TASK_OPTIONS, type TaskOptions } from "./task-settings.ts";

export interface KubernetesPodOptions extends TaskOptions, OutletOptions<string> {
  image: string;
  /** In place of the image's entry point; Kubernetes calls it command. */
  cmds?: readonly string[];
  /** In place of the image's own; a call may give others. */
  arguments?: readonly string[];
  /** A call may add to it. For values from secrets use pod.spec.containers. */
  env?: { readonly [name: string]: string };
  /** Whether what it writes is kept as the task's log. True unless given. */
  getLogs?: boolean;
  /** Exit codes by which it says that there was nothing to do: the task is skipped. */
  skipOnExitCodes?: readonly number[];
  /**
   * The file that it leaves its result in, as JSON, e.g. "/windlass/result.json": up to 256 KiB. Its folder becomes a volume. The
   * termination message unless given.
   */
  result?: string;
  /** The cluster that its pod runs in, by its name in the file of WINDLASS_CLUSTERS. The installation's own unless given. */
  cluster?: string;
}

/** What a call may pass, as values or references. */
export interface ContainerInputs {
  /** Over the task's own variables; null leaves one out. */
  env?: { [name: string]: string | number | boolean | null };
  /** In place of the task's own. */
  arguments?: (string | number | boolean)[];
}

// As core/container.ts has it, without the ways to climb out.
const RESULT_FILE = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+){2,10}$/;
// As core/executor-name.ts has it.
const CLUSTER = /^[a-z0-9](?:[a-z0-9-]{0,23}[a-z0-9])?$/;
const OWN_OPTIONS = ["image", "cmds", "arguments", "env", "getLogs", "skipOnExitCodes", "result", "cluster"];

/**
 * A task that runs an image. Exit code 0 is success. Its result is the JSON that it wrote to the file `result`, or else to
 * /dev/termination-log (4 KiB at most), or null; `R` is the author's word for what that is.
 */
export function kubernetesPod<R = unknown>(
  id: string,
  options: KubernetesPodOptions,
): Task<ContainerInputs, Output<R>> {
  const blueprint = atAuthorsLine(kubernetesPod, () => {
    checkIdentifier("task", id);
    const where = `task "${id}"`;
    refuseSecrets(options, where);
    refuseUnknownOptions(options, [...OWN_OPTIONS, ...TASK_OPTIONS], where);
    const shared = Object.fromEntries(Object.entries(options).filter(([name]) => !OWN_OPTIONS.includes(name)));
    return {
      ...readBlueprint("pod", shared, where, null),
      container: compileContainer(options, where),
      checkInputs,
    };
  });
  return createTask<ContainerInputs, Output<R>>(id, blueprint);
}

/** Whatever stands in a pod is read by whoever may read pods; a Secret of Kubernetes is named there, and not shown. */
function refuseSecrets(options: object, where: string): void {
  const option = SECRET_OPTIONS.find((name) => Object.hasOwn(options, name));
  if (option === undefined) return;
  throw authorError(
    `${where}: ${option} are given to code that runs in a worker, and this image has none. Name a Secret of Kubernetes: ` +
      `pod: { spec: { containers: [{ name: "base", envFrom: [{ secretRef: { name: "…" } }] }] } }.`,
  );
}

/** The author's file is run without a type check, so nothing is taken for granted. */
function compileContainer(
  given: { [Name in keyof KubernetesPodOptions]: unknown },
  where: string,
): ContainerDefinition {
  const { image, cmds, arguments: args, env = {}, getLogs = true, skipOnExitCodes = [], result, cluster } = given;
  if (typeof getLogs !== "boolean") {
    throw authorError(`${where}: getLogs is ${describeValue(getLogs)}. Use true or false.`);
  }
  const isExitCode = (code: unknown) => Number.isInteger(code) && Number(code) >= 1 && Number(code) <= 255;
  if (!Array.isArray(skipOnExitCodes) || !skipOnExitCodes.every(isExitCode)) {
    throw authorError(`${where}: skipOnExitCodes must be a list of whole numbers from 1 to 255, e.g. [99].`);
  }
  if (result !== undefined && !(typeof result === "string" && RESULT_FILE.test(result))) {
    throw authorError(
      `${where}: result is ${describeValue(result)}. Name a file in a folder of its own, e.g. "/windlass/result.json".`,
    );
  }
  if (cluster !== undefined && !(typeof cluster === "string" && CLUSTER.test(cluster))) {
    throw authorError(
      `${where}: cluster is ${describeValue(cluster)}. Use a name from the file of WINDLASS_CLUSTERS, e.g. "gpu": up to 25 letters a to z, digits and inner dashes.`,
    );
  }
  return {
    image: checkImage(image, `${where}: image`),
    cmds: cmds === undefined ? null : checkTexts(cmds, `${where}: cmds`),
    arguments: args === undefined ? null : checkTexts(args, `${where}: arguments`),
    env: checkEnv(env, `${where}: env`),
    get_logs: getLogs,
    skip_on_exit_codes: skipOnExitCodes,
    ...(result === undefined ? {} : { result_file: result }),
    ...(cluster === undefined ? {} : { cluster }),
  };
}

function checkTexts(value: unknown, path: string): string[] {
  if (!Array.isArray(value)) throw authorError(`${path} is ${describeValue(value)}. Use a list of strings.`);
  return value.map((item: unknown, index) => {
    if (typeof item === "string") return item;
    throw authorError(`${path}[${index}] is ${describeValue(item)}, but must be a string.`);
  });
}

export function checkEnv(value: unknown, path: string): { [name: string]: string } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw authorError(`${path} is ${describeValue(value)}. Use an object such as { STAGE: "test" }.`);
  }
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string") {
      throw authorError(
        `${path}.${name} is ${describeValue(text)}, but must be a string. An object goes through JSON.stringify, a reference through the call: ({ env: { ${name}: … } }).`,
      );
    }
  }
  return { ...(value as { [name: string]: string }) };
}

/** The parts of a call that are known while the DAG is built; the others are checked before the pod is made. */
function checkInputs(inputs: { [name: string]: Expression }, where: string): void {
  refuseUnknownOptions(inputs, ["env", "arguments"], where);
  checkEnvInput(inputs, where);
  const { arguments: args } = inputs;
  if (args) {
    const literal = args.kind === "value" && Array.isArray(args.value) ? args.value : null;
    if (args.kind === "object" || (args.kind === "value" && literal === null)) {
      throw authorError(`${where}: arguments must be a list such as ["--day", params.day].`);
    }
    const items = args.kind === "array" ? args.items : (literal ?? []).map(asLiteral);
    items.forEach((item, index) => checkScalar(item, `${where}: arguments[${index}]`, false));
  }
}

export function checkEnvInput({ env }: { [name: string]: Expression }, where: string): void {
  if (!env) return;
  const fields = env.kind === "value" ? literalFields(env.value) : env.kind === "object" ? env.fields : null;
  if (env.kind === "array" || (env.kind === "value" && fields === null)) {
    throw authorError(`${where}: env must be an object such as { DAY: params.day }.`);
  }
  for (const [name, value] of Object.entries(fields ?? {})) checkScalar(value, `${where}: env.${name}`, true);
}

function literalFields(value: Json): { [name: string]: Expression } | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, asLiteral(field)]));
}

function asLiteral(value: Json): Expression {
  return { kind: "value", value };
}

function checkScalar(expression: Expression, path: string, orNull: boolean): void {
  const kind = expression.kind === "value" && Array.isArray(expression.value) ? "array" : expression.kind;
  const isNested = kind === "object" || kind === "array" || (expression.kind === "value" && isObject(expression.value));
  if (isNested) {
    throw authorError(
      `${path} is ${kind === "array" ? "a list" : "an object"}, but must be text, a number or a boolean. JSON.stringify makes text of a literal; a task can make it of a result.`,
    );
  }
  if (!orNull && expression.kind === "value" && expression.value === null) {
    throw authorError(`${path} is null, but must be text, a number or a boolean.`);
  }
}

function isObject(value: Json): boolean {
  return typeof value === "object" && value !== null;
}
