// `windlass dags test FILE`: runs a DAG of a file in this process, with the author's own environment, at once.

import { readFile } from "node:fs/promises";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { styleText } from "node:util";
import { z } from "zod";
import { createParamsChecker } from "../../api/trigger-params.ts";
import { connection } from "../../contract/execution.ts";
import { failure, messageOf } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { createMask, type Mask } from "../../core/mask-secrets.ts";
import { listConnectionSecrets, listVariableSecrets } from "../../core/secret-texts.ts";
import type { TaskState } from "../../core/states.ts";
import type { InProcessRun, InProcessTask } from "../../dags/run-in-process.ts";
import { mapStack } from "../../dags/source-stack.ts";
import { systemClock } from "../../lifecycle/clock.ts";
import { createVirtualClock } from "../../lifecycle/virtual-clock.ts";
import { createAttemptRunner } from "../../testing/attempt-runner.ts";
import { checkOutside, readJson } from "../../testing/check-outside.ts";
import { completeConnection } from "../../testing/complete-connections.ts";
import { type CallbackWorld, runWithCallbacks, type TestedCallback } from "../../testing/run-with-callbacks.ts";
import { createArtifacts } from "../../worker/artifacts.ts";
import { captureOutput } from "../../worker/capture-output.ts";
import { createFolderArtifacts } from "../../worker/folder-artifacts.ts";
import { loadDag } from "../load-dag.ts";

export interface DagsTestOptions {
  file: string;
  params: string;
  /** Which DAG, when the file has several. */
  dagId: string | null;
  /** A JSON file with the variables and connections that the tasks declare; null: none. */
  secrets: string | null;
  /** What people choose, and events as JSON, each `task=value`. */
  answers: readonly string[];
  events: readonly string[];
  /** Whether callbacks are called. */
  callbacks: boolean;
  output: "text" | "json";
}

/** Between two pokes of a sensor, which asks a real system. */
const LONGEST_PAUSE_MS = 1_000;

/** Prints the run; returns the exit code: 0 success, 1 failed. Errors: invalid_request, invalid_dag, invalid_params. */
export async function testDag(options: DagsTestOptions, print: (text: string) => void): Promise<number> {
  const conf = parseObject(options.params, "--params");
  const { dag, bundle } = await loadDag(options.file, options.dagId);
  const { definition } = dag;
  const params = createParamsChecker().check({ ...definition, version_id: 0 }, conf);
  const quiet = options.output === "json";
  const secrets = await readSecrets(options.secrets);
  const mask = createMask([
    ...Object.values(secrets.variables).flatMap(listVariableSecrets),
    ...Object.values(secrets.connections).flatMap(listConnectionSecrets),
  ]);
  const flushOutput = maskOutput(mask);
  const answers = Object.fromEntries(parsePairs(options.answers, "--answer"));
  const events = Object.fromEntries(
    parsePairs(options.events, "--event").map(([id, text]) => [id, parseObject(text, `--event ${id}`)]),
  );
  const outside = { ...checkOutside(definition, { answers, events }), missing: null };
  const clock = createVirtualClock(systemClock.now());
  const say = quiet ? () => {} : print;
  const world: CallbackWorld = {
    dag,
    clock,
    secrets,
    secretsHint: "give it by --secrets FILE",
    mapStack: (stack) => {
      const mapped = mapStack(stack, bundle.sourceMap, bundle.hash);
      return mapped.places.length > 0 ? mapped.stack : null;
    },
    replaceCallbacks: (_, call) => (options.callbacks ? call() : undefined),
    onChange: (task) => {
      if (task.state !== "scheduled")
        say(`${mark(task.state)} ${nameInstance(task)} (try ${task.try_number}): ${task.state}`);
    },
    onCalled: (callback) => say(describeCallback(maskEnds(callback, mask), options.callbacks)),
  };
  const runAttempt = createAttemptRunner({
    ...world,
    // Made in the system's own place for such files, which clears it.
    artifacts: createArtifacts(createFolderArtifacts(mkdtempSync(join(tmpdir(), "windlass-artifacts-")))),
    assetEvents: [],
    environment: process.env,
    mask,
    outside,
    runImage: (_, image) => {
      const reason = `it runs the image ${image}, which needs a cluster`;
      return { outcome: { kind: "skipped", reason, exit_code: null, error: null }, result: null };
    },
    longestPauseMs: LONGEST_PAUSE_MS,
    note: (task, text) => say(`${mark("deferred")} ${task}: ${mask(text)}`),
  });
  const run = maskEnds(await runWithCallbacks(params, runAttempt, world), mask);
  flushOutput();
  print(quiet ? JSON.stringify(run) : describeRun(definition.dag_id, run));
  return run.state === "success" ? 0 : 1;
}

function parseObject(text: string, what: string): JsonObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    const example = `an example is '{"day":"2026-01-31"}'`;
    throw failure("invalid_request", `${what} is not JSON: ${messageOf(error)}; ${example}`, { cause: error });
  }
  return readJson(parsed, what);
}

const secretsFile = z.strictObject({
  variables: z.record(z.string(), z.string()).default({}),
  connections: z.record(z.string(), z.preprocess(completeConnection, connection)).default({}),
});

/** Only what is told of ends: names and states may well be those of a variable. */
function maskEnds<Told extends object>(told: Told, mask: Mask): Told {
  const show = (key: string, value: unknown) =>
    typeof value === "string" && (key === "error" || key === "reason") ? mask(value) : value;
  // The same fields with other texts.
  return JSON.parse(JSON.stringify(told), show) as Told;
}

/** What tasks print, as in an installation; what their processes inherit is their own. */
function maskOutput(mask: Mask): () => void {
  if (!mask.hides) return () => {};
  const flush = captureOutput(() => {}, mask);
  // console has opened them before, and looks no more.
  void [process.stdout, process.stderr];
  return flush;
}

async function readSecrets(file: string | null): Promise<z.output<typeof secretsFile>> {
  if (file === null) return { variables: {}, connections: {} };
  try {
    return secretsFile.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    // What is no JSON is quoted by its error.
    const isSyntax = error instanceof SyntaxError;
    const why = error instanceof z.ZodError ? z.prettifyError(error) : isSyntax ? "is not JSON" : messageOf(error);
    throw failure(
      "invalid_request",
      `--secrets ${file}: ${why}; an example is {"variables": {"bucket": "reports"}, "connections": {}}`,
      { cause: error },
    );
  }
}

/** Errors: invalid_request. */
function parsePairs(given: readonly string[], flag: string): [taskId: string, text: string][] {
  return given.map((pair) => {
    const cut = pair.indexOf("=");
    if (cut > 0) return [pair.slice(0, cut), pair.slice(cut + 1)];
    throw failure("invalid_request", `${flag} "${pair}" names no task; an example is ${flag} approve_release=approve`);
  });
}

function nameInstance({ task_id, map_index, rendered_map_index }: Omit<InProcessTask, "state" | "error">): string {
  if (map_index === -1) return task_id;
  return rendered_map_index === undefined
    ? `${task_id}[${map_index}]`
    : `${task_id}[${map_index}: ${rendered_map_index}]`;
}

function mark(state: TaskState): string {
  if (state === "success") return styleText("green", "✓");
  if (state === "failed" || state === "upstream_failed") return styleText("red", "✗");
  return styleText("dim", "·");
}

function describeCallback({ event, task_id, map_index, error, ...of }: TestedCallback, called: boolean): string {
  const whose =
    task_id === null
      ? "the run"
      : nameInstance({ task_id, map_index: map_index ?? -1, try_number: of.try_number ?? 0 });
  const name = `${whose}: its callback on ${event}`;
  if (!called) return `${mark("deferred")} ${name} is due, and not called`;
  return error === null ? `${mark("success")} ${name} was called` : `${mark("failed")} ${name} failed${indent(error)}`;
}

function indent(text: string): string {
  return `\n    ${text.replaceAll("\n", "\n    ")}`;
}

function describeRun(dagId: string, run: InProcessRun): string {
  const lines = run.tasks.map((task) => {
    const { state, try_number, error } = task;
    const why = error === null || state === "success" ? "" : indent(error);
    return `  ${nameInstance(task)}: ${state} after ${try_number} ${try_number === 1 ? "try" : "tries"}${why}`;
  });
  return [`${dagId}: ${run.reason ?? run.state}`, ...lines].join("\n");
}
