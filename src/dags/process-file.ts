// From a file to its DAGs: bundle, evaluate, judge. Never throws for what an author can do wrong.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DagDefinition } from "../core/definition.ts";
import type { Clock } from "../lifecycle/clock.ts";
import { type Bundle, bundleFile } from "./bundle.ts";
import { evaluateBundle } from "./evaluate.ts";
import { type ImportFault, isImportFailure } from "./import-fault.ts";
import { readCommit } from "./read-commit.ts";
import type { EvaluationLimits } from "./run-sealed.ts";

export type ProcessedFile =
  /** commit: of the repository that the folder is in, if it is in one. */
  | { kind: "dags"; bundle: Bundle; definitions: DagDefinition[]; inputs: string[]; commit: string | null }
  /** inputs is null when the bundler gave up: any file may be what it misses. */
  | { kind: "fault"; fault: ImportFault; inputs: string[] | null }
  /** No DAG in it: a neighbour module, or a file that is gone. */
  | { kind: "none"; inputs: string[] };

/** All of one commit: a file is read again when the folder has gone to another one meanwhile. */
export async function processFile(
  folder: string,
  path: string,
  limits: EvaluationLimits,
  clock: Clock,
  signal?: AbortSignal,
): Promise<ProcessedFile> {
  for (;;) {
    const commit = await readCommit(folder);
    const result = await processOnce(folder, path, limits, clock, signal, commit);
    if (signal?.aborted || (await readCommit(folder)) === commit) return result;
  }
}

async function processOnce(
  folder: string,
  path: string,
  limits: EvaluationLimits,
  clock: Clock,
  signal: AbortSignal | undefined,
  commit: string | null,
): Promise<ProcessedFile> {
  if (!(await mentionsWindlass(folder, path))) return { kind: "none", inputs: [path] };
  let bundle: Bundle;
  try {
    bundle = await bundleFile(folder, path);
  } catch (error) {
    if (isImportFailure(error)) return { kind: "fault", fault: error.fault, inputs: null };
    throw error;
  }
  const { inputs } = bundle;
  const evaluation = await evaluateBundle(bundle, path, limits, clock, signal);
  if (evaluation.kind === "fault") return { kind: "fault", fault: evaluation.fault, inputs };
  const { definitions } = evaluation;
  return definitions.length === 0 ? { kind: "none", inputs } : { kind: "dags", bundle, definitions, inputs, commit };
}

/** Spares the evaluation of neighbour modules: a DAG file imports "windlass" itself. */
export async function mentionsWindlass(folder: string, path: string): Promise<boolean> {
  try {
    return (await readFile(join(folder, path))).includes("windlass");
  } catch (error) {
    // A file that cannot be read is for the bundler to complain of.
    return !(error instanceof Error && "code" in error && error.code === "ENOENT");
  }
}
