// Which variables and connections a task is given. Only what is named here reaches it, and only what is named compiles.

import type { Connection } from "../core/connection.ts";
import { authorError, describeValue } from "./author-error.ts";

export interface SecretOptions<Variable extends string, ConnectionId extends string> {
  /** Keys of variables that the task reads as `runtime.variables.<key>`. */
  variables?: readonly Variable[];
  /** Ids of connections that the task reads as `runtime.connections.<id>`. */
  connections?: readonly ConnectionId[];
}

/** The part of a task's runtime that holds them. */
export interface TaskSecrets<Variable extends string, ConnectionId extends string> {
  readonly variables: { readonly [Key in Variable]: string };
  readonly connections: { readonly [Id in ConnectionId]: Connection };
}

export const SECRET_OPTIONS = ["variables", "connections"];

const IDENTIFIER = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,249}$/;

/** The part of a definition that says so; empty when the task names none. */
export function compileSecrets(
  options: { variables?: unknown; connections?: unknown },
  where: string,
): { variables?: string[]; connections?: string[] } {
  const named = SECRET_OPTIONS.flatMap((option) => {
    const names = options[option as keyof typeof options];
    return names === undefined ? [] : [[option, checkNames(names, `${where}: ${option}`)] as const];
  });
  return Object.fromEntries(named.filter(([, names]) => names.length > 0));
}

function checkNames(names: unknown, path: string): string[] {
  if (!Array.isArray(names)) throw authorError(`${path} is ${describeValue(names)}. Use a list of names.`);
  return names.map((name: unknown, index) => {
    if (typeof name === "string" && IDENTIFIER.test(name)) return name;
    throw authorError(
      `${path}[${index}] is ${describeValue(name)}. Use 1 to 250 letters, digits, "_", "." and "-", starting with a letter, digit or "_".`,
    );
  });
}
