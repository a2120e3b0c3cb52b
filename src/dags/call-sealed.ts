// Calls one function of a bundle in a sealed child: a sensor's poke, a callback. The child has the network, and no
// environment, files, children or workers; it is gone when this returns, whatever it did. What it is told, secrets with it,
// goes by stdin alone. Its answer is parsed before it is believed: it may lie about its own task, and about nothing else.

import { z } from "zod";
import type { Json } from "../core/json.ts";
import type { Mask } from "../core/mask-secrets.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { CallAnswer, CallRequest } from "./call-answer.ts";
import { DEFAULT_LIMITS, runSealed } from "./run-sealed.ts";
import { mapStack } from "./source-stack.ts";

export type SealedCall =
  | { kind: "returned"; value: Json }
  /** The author's code did not return. */
  | { kind: "failed"; outcome: Outcome };

export interface CallableBundle {
  hash: string;
  code: string;
  sourceMap: string;
}

const OUTPUT_BYTES = 256 * 1024;
const LONGEST_TEXT = 4_096;

const answerSchema: z.ZodType<CallAnswer> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("returned"), value: z.unknown() }),
  z.object({
    kind: z.literal("thrown"),
    name: z.string(),
    message: z.string(),
    stack: z.string(),
    skip: z.boolean(),
    noRetry: z.boolean(),
  }),
  z.object({ kind: z.literal("missing"), message: z.string() }),
]);

/**
 * @param mask what it throws is shown through; a value that it returns is its own affair
 * Errors: unavailable, when no process can be started.
 */
export async function callSealed(
  bundle: CallableBundle,
  request: CallRequest,
  mask: Mask,
  clock: Clock,
  signal?: AbortSignal,
): Promise<SealedCall> {
  const limits = { ...DEFAULT_LIMITS, timeMs: request.timeMs, outputBytes: OUTPUT_BYTES };
  const end = await runSealed("call", `${JSON.stringify(request)}\n${bundle.code}`, limits, clock, signal);
  switch (end.kind) {
    case "answered":
      return readAnswer(end.text, bundle, mask);
    case "timed_out":
      return fail("timed_out", `one call took longer than ${request.timeMs / 1000} s`);
    case "out_of_memory":
      return fail("task_failed", `one call took more than ${limits.memoryBytes / 2 ** 20} MiB of memory`);
    case "output_too_large":
      return fail("task_failed", `what it returned is larger than ${OUTPUT_BYTES / 1024} KiB of JSON`);
    case "died":
      return fail("task_failed", `its process ended without an answer: ${end.reason}`);
  }
}

function readAnswer(text: string, bundle: CallableBundle, mask: Mask): SealedCall {
  let answer: CallAnswer;
  try {
    answer = answerSchema.parse(JSON.parse(text));
  } catch {
    // Why is not said: the message would quote the answer.
    return fail("task_failed", "its process answered with something else than a result");
  }
  switch (answer.kind) {
    case "returned":
      // What JSON.parse made.
      return { kind: "returned", value: answer.value as Json };
    case "missing":
      return fail("task_failed", mask(answer.message), false);
    case "thrown": {
      // Masked before it is cut: half of a secret would not be known again.
      const name = mask(answer.name).slice(0, LONGEST_TEXT);
      const message = mask(answer.message).slice(0, LONGEST_TEXT);
      if (answer.skip) return fail("skipped", message);
      const { stack } = mapStack(mask(answer.stack), bundle.sourceMap, bundle.hash);
      const outcome = fail("task_failed", `${name}: ${message.split("\n", 1)[0] ?? ""}`, !answer.noRetry).outcome;
      return { kind: "failed", outcome: { ...outcome, error: { name, message, stack } } };
    }
  }
}

function fail(kind: Outcome["kind"], reason: string, retryable = true): SealedCall & { kind: "failed" } {
  return { kind: "failed", outcome: { kind, reason, exit_code: null, retryable, error: null } };
}
