// What is wrong with a file of the dags folder, in words and places of the author's own sources.

import { failure, type WindlassError } from "../core/errors.ts";

/** Shown as an import error. `line` and `column` count from 1 and are places in `filename` itself. */
export interface ImportFault {
  /** The DAG file, relative to the dags folder. */
  filename: string;
  /** Opens with "other-file:line:column: " when the place is in a file that the DAG imports. */
  message: string;
  line: number | null;
  column: number | null;
  /** The code frame or the mapped stack; "" when there is none. */
  stack_trace: string;
}

/** Where a problem is, as the bundler or a mapped stack tells it. */
export interface Place {
  file: string | null;
  line: number | null;
  column: number | null;
}

const LONGEST_MESSAGE = 16_384;
const LONGEST_STACK = 65_536;

/** `own` is a place in the DAG file itself when the problem's first place is elsewhere. */
export function describeFault(
  filename: string,
  message: string,
  stack: string,
  place: Place | null = null,
  own: Place | null = null,
): ImportFault {
  const elsewhere = place !== null && place.file !== null && place.file !== filename;
  const shown = elsewhere ? own : place;
  const where = elsewhere
    ? `${[place.file, place.line, place.column].filter((part) => part !== null).join(":")}: `
    : "";
  return {
    filename,
    message: clean(where + message, LONGEST_MESSAGE),
    line: shown?.line ?? null,
    column: shown?.column ?? null,
    stack_trace: clean(stack, LONGEST_STACK),
  };
}

export type ImportFailure = WindlassError & { fault: ImportFault };

export function importFailure(fault: ImportFault, cause?: unknown): ImportFailure {
  const where = fault.line === null ? fault.filename : `${fault.filename}:${fault.line}:${fault.column ?? 1}`;
  return Object.assign(failure("invalid_dag", `${where}: ${fault.message}`, { cause }), { fault });
}

export function isImportFailure(error: unknown): error is ImportFailure {
  return error instanceof Error && "code" in error && error.code === "invalid_dag" && "fault" in error;
}

// Postgres text cannot hold NUL, and UTF-8 no lone surrogates: a fault must always be storable.
function clean(text: string, longest: number): string {
  return text.slice(0, longest).replaceAll("\0", "\\0").toWellFormed();
}
