// Errors in how a DAG is written. Each names the DAG or task and says what to do, and its stack starts at the author's
// line instead of inside the sdk.

/** Any function; only its identity is used, to cut the stack above it. */
type EntryPoint = (...args: never[]) => unknown;

export function authorError(message: string, cause?: unknown): Error {
  const error = new Error(message, cause === undefined ? {} : { cause });
  error.name = "DagError";
  return error;
}

/** Runs the sdk's part of a public function; what it throws points at the line that called `entry`. */
export function atAuthorsLine<T>(entry: EntryPoint, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof Error) Error.captureStackTrace(error, entry);
    throw error;
  }
}

/** The stack below `entry`, kept for an error that is only found later. */
export interface AuthorsLine {
  stack?: string;
}

export function rememberAuthorsLine(entry: EntryPoint): AuthorsLine {
  const line: AuthorsLine = {};
  Error.captureStackTrace(line, entry);
  return line;
}

/** An error whose stack is the remembered one. */
export function authorErrorAt(line: AuthorsLine, message: string): Error {
  const error = authorError(message);
  const frames = (line.stack ?? "").split("\n").filter((row) => row.startsWith("    at "));
  error.stack = [`${error.name}: ${message}`, ...frames].join("\n");
  return error;
}

/** A short picture of a wrong value for a message. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "number" || typeof value === "boolean" || value === undefined || value === null)
    return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") return `a ${typeof value}`;
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === "string" && name !== "" && name !== "Object" ? `a ${name}` : "an object";
}
