// Tasks that are a shell command. Values, secret ones too, reach it as variables of its environment and in no other way: what
// is put into the text of a command can break out of it, and is seen in the list of processes.

import type { OutletOptions } from "./asset-runtime.ts";
import { authorError, atAuthorsLine, describeValue } from "./author-error.ts";
import type { CompiledFunction } from "./compiled.ts";
import { type Blueprint, createTask, readBlueprint, type Task } from "./create-task.ts";
import { checkIdentifier } from "./identifier.ts";
import { checkEnv, checkEnvInput } from "./kubernetes-pod.ts";
import { SECRET_OPTIONS, type SecretOptions, type TaskSecrets } from "./task-secrets.ts";
import { refuseUnknownOptions, TASK_OPTIONS, type TaskOptions } from "./task-settings.ts";

export interface BashOptions<V extends string = never, C extends string = never>
  extends TaskOptions, OutletOptions<string>, SecretOptions<V, C> {
  /** Run by `bash -c`, or by `sh -c` in an image without bash. */
  command: string;
  /**
   * A call may add to it. What the task declares to read comes in by a function, which is called where the command runs; null
   * leaves a variable out.
   */
  env?: { readonly [name: string]: string } | ((secrets: TaskSecrets<V, C>) => SecretEnv);
  /** By which it says that there was nothing to do: the task is skipped. 99 unless given; null is none. */
  skipOnExitCode?: number | readonly number[] | null;
}

type SecretEnv = { readonly [name: string]: string | number | boolean | null };

/** What a call may pass, as values or references: variables of its environment, over its own; null leaves one out. */
export interface BashInputs {
  env?: { [name: string]: string | number | boolean | null };
}

const OWN_OPTIONS = ["command", "env", "skipOnExitCode"];
const DEFAULT_SKIP_CODE = 99;

/** A task that runs a shell command in its worker. Its result is the last line that it wrote to stdout, or null. */
export function bash<V extends string = never, C extends string = never>(
  id: string,
  options: BashOptions<V, C>,
): Task<BashInputs, string | null> {
  const blueprint = atAuthorsLine(bash, () => {
    checkIdentifier("task", id);
    const where = `task "${id}"`;
    refuseUnknownOptions(options, [...OWN_OPTIONS, ...TASK_OPTIONS, ...SECRET_OPTIONS], where);
    const shared = Object.fromEntries(Object.entries(options).filter(([name]) => !OWN_OPTIONS.includes(name)));
    const { command, env = {}, skipOnExitCode } = options as { [Name in keyof BashOptions]: unknown };
    if (typeof command !== "string" || command.trim() === "") {
      throw authorError(
        `${where}: command is ${describeValue(command)}. Use text, and pass values through env: { command: 'echo "$DAY"' }.`,
      );
    }
    const makeEnv = typeof env === "function" ? (env as EnvFunction) : null;
    const shape = readBlueprint("function", shared, where, makeEnv && readEnvBy(makeEnv));
    if (makeEnv === null) refuseUnusedSecrets(shape, where);
    return {
      ...shape,
      operator: {
        type: "bash" as const,
        command,
        env: makeEnv ? {} : checkEnv(env, `${where}: env`),
        skip_on_exit_codes: checkSkipCodes(skipOnExitCode, where),
      },
      checkInputs,
    };
  });
  return createTask<BashInputs, string | null>(id, blueprint);
}

type EnvFunction = (secrets: TaskSecrets<string, string>) => unknown;

/** As the bundle's function of the task: worker/task-function.ts asks it for the environment. */
function readEnvBy(makeEnv: EnvFunction): CompiledFunction {
  return (_, { variables, connections }) => makeEnv({ variables, connections });
}

/** Nothing is given to a command under a name that its author did not choose. */
function refuseUnusedSecrets({ extras = {} }: Blueprint, where: string): void {
  const [option] = Object.keys(extras);
  if (option === undefined) return;
  throw authorError(
    `${where}: ${option} are declared, but reach the command only through env: ({ variables }) => ({ TOKEN: variables.token }).`,
  );
}

const checkInputs: typeof checkEnvInput = (inputs, where) => {
  refuseUnknownOptions(inputs, ["env"], where);
  checkEnvInput(inputs, where);
};

function checkSkipCodes(given: unknown, where: string): number[] {
  if (given === undefined) return [DEFAULT_SKIP_CODE];
  if (given === null) return [];
  const codes: unknown[] = Array.isArray(given) ? given : [given];
  return codes.map((code) => {
    if (typeof code === "number" && Number.isInteger(code) && code >= 1 && code <= 255) return code;
    throw authorError(`${where}: skipOnExitCode is ${describeValue(code)}. Use whole numbers from 1 to 255, or null.`);
  });
}
