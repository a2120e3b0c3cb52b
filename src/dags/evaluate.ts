// Finds out which DAGs a bundle defines, by running it in a sealed child process that has no environment, no files, no
// network and no children, for a limited time in limited memory. What comes back is plain data, parsed before it is
// believed; every failure is an ImportFault in terms of the author's own source. The child is never trusted: it may lie
// about its own DAGs, and about nothing else.

import { z } from "zod";
import type { DagDefinition } from "../core/definition.ts";
import { messageOf } from "../core/errors.ts";
import type { Clock } from "../lifecycle/clock.ts";
import { checkDefinitions } from "./check-definition.ts";
import type { EvaluationAnswer } from "./evaluation-answer.ts";
import { findQuoted } from "./find-quoted.ts";
import { describeFault, type ImportFault, type Place } from "./import-fault.ts";
import { type EvaluationLimits, runSealed } from "./run-sealed.ts";
import { mapPlace, mapStack } from "./source-stack.ts";

export type Evaluation = { kind: "dags"; definitions: DagDefinition[] } | { kind: "fault"; fault: ImportFault };

/** The part of a bundle that an evaluation needs. */
export interface EvaluatedBundle {
  hash: string;
  code: string;
  sourceMap: string;
}

export const answerSchema: z.ZodType<EvaluationAnswer> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("dags"), definitions: z.array(z.unknown()) }),
  z.object({ kind: z.literal("thrown"), message: z.string(), stack: z.string() }),
  z.object({ kind: z.literal("times"), times: z.array(z.iso.datetime()), is_complete: z.boolean() }),
  z.object({ kind: z.literal("located"), line: z.int().positive().nullable() }),
]);

const MEBIBYTE = 2 ** 20;
/** A second run, to find the line that hangs, need not take as long as the first. */
const LONGEST_LOCATE_MS = 2_000;
const SHOWN_ERRORS = 50;
// The sampler tells lines only: the last mapping at or before the line's end belongs to what stands on it.
const LAST_COLUMN = 100_000;

export async function evaluateBundle(
  bundle: EvaluatedBundle,
  filename: string,
  limits: EvaluationLimits,
  clock: Clock,
  signal?: AbortSignal,
): Promise<Evaluation> {
  const end = await runSealed("evaluate", bundle.code, limits, clock, signal);
  const fault = createFault(filename);
  switch (end.kind) {
    case "answered":
      return readAnswer(end.text, bundle, filename);
    case "timed_out": {
      const place = await locate(
        bundle,
        { ...limits, timeMs: Math.min(limits.timeMs, LONGEST_LOCATE_MS) },
        clock,
        signal,
      );
      return fault(
        `reading the file took longer than ${limits.timeMs / 1000} s; a DAG file may only describe tasks, work belongs inside them`,
        "",
        place,
      );
    }
    case "out_of_memory": {
      const place = await locate(bundle, limits, clock, signal);
      const size = Math.round(limits.memoryBytes / MEBIBYTE);
      return fault(
        `reading the file took more than ${size} MiB of memory; a DAG file may only describe tasks, work belongs inside them`,
        "",
        place,
      );
    }
    case "output_too_large":
      return fault(
        `the definitions of the file are larger than ${Math.round(limits.outputBytes / MEBIBYTE)} MiB of JSON; keep data out of a task's fixed inputs`,
      );
    case "died":
      return fault(`the process that read the file ended without an answer: ${end.reason}`);
  }
}

type MakeFault = (message: string, stack?: string, place?: Place | null, own?: Place | null) => Evaluation;

function createFault(filename: string): MakeFault {
  return (message, stack = "", place = null, own = null) => ({
    kind: "fault",
    fault: describeFault(filename, message, stack, place, own),
  });
}

function readAnswer(text: string, bundle: EvaluatedBundle, filename: string): Evaluation {
  const fault = createFault(filename);
  let answer: EvaluationAnswer;
  try {
    answer = answerSchema.parse(JSON.parse(text));
  } catch (error) {
    return fault(`the process that read the file answered with something else than DAGs: ${messageOf(error)}`);
  }
  switch (answer.kind) {
    case "thrown": {
      const mapped = mapStack(answer.stack, bundle.sourceMap, bundle.hash);
      return fault(
        answer.message,
        mapped.stack,
        mapped,
        mapped.places.find((place) => place.file === filename),
      );
    }
    case "located":
    case "times":
      return fault("the process that read the file answered out of turn");
    case "dags":
      return checkAnswer(answer.definitions, bundle, filename, fault);
  }
}

function checkAnswer(
  values: readonly unknown[],
  bundle: EvaluatedBundle,
  filename: string,
  fault: MakeFault,
): Evaluation {
  try {
    const { definitions, errors } = checkDefinitions(values);
    const [first] = errors;
    if (!first) return { kind: "dags", definitions };
    const lines = errors.slice(0, SHOWN_ERRORS).map(({ path, message }) => `${path}: ${message}`);
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
    const place = findQuoted(first.ids, filename, bundle.sourceMap);
    return fault(`${first.path}: ${first.message}${more}`, lines.join("\n"), place);
  } catch (error) {
    // Inputs nested deeper than the stack are the author's fault, not ours.
    if (error instanceof RangeError) return fault("the definition is nested too deeply");
    throw error;
  }
}

/** Runs the bundle once more, under V8's sampler, until it is at its limit again. */
async function locate(
  bundle: EvaluatedBundle,
  limits: EvaluationLimits,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<Place | null> {
  const end = await runSealed("locate", bundle.code, limits, clock, signal);
  if (end.kind !== "answered") return null;
  try {
    const answer = answerSchema.parse(JSON.parse(end.text));
    if (answer.kind !== "located" || answer.line === null) return null;
    const place = mapPlace(answer.line, LAST_COLUMN, bundle.sourceMap, bundle.hash);
    return place && { ...place, column: null };
  } catch {
    // The line is a help, not the finding.
    return null;
  }
}
