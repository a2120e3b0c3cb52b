// windlass/testing: runs a DAG inside of a test, by the rules of the scheduler and on a clock that no one waits for. Tasks are
// called for real unless the test stubs them; nothing leaves the process but what they do themselves.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createParamsChecker } from "../api/trigger-params.ts";
import type { ConsumedEvent } from "../core/asset-events.ts";
import { instant } from "../contract/rest.ts";
import type { Connection } from "../core/connection.ts";
import type { DagDefinition } from "../core/definition.ts";
import { failure } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import { createMask } from "../core/mask-secrets.ts";
import { createVirtualClock } from "../lifecycle/virtual-clock.ts";
import type { Dag } from "../sdk/dag.ts";
import { createArtifacts } from "../worker/artifacts.ts";
import { createFolderArtifacts } from "../worker/folder-artifacts.ts";
import { arrangeAttempts, checkArrangements } from "./arrange-attempts.ts";
import type { Arrangement } from "./arrangements.ts";
import { createAttemptRunner } from "./attempt-runner.ts";
import { checkAssetEvents, checkOutside, readJson } from "./check-outside.ts";
import { completeConnections } from "./complete-connections.ts";
import { readDag } from "./read-dag.ts";
import { recordAttempts } from "./record-attempts.ts";
import type { Outside } from "./run-wait.ts";
import { type CallbackReplacement, type CallbackWorld, runWithCallbacks } from "./run-with-callbacks.ts";
import { presentRun, type TestedRun } from "./tested-run.ts";

export {
  type Arrangement,
  type ClusterFault,
  type EndOptions,
  evict,
  fail,
  type NamedTask,
  stub,
  takes,
  timeOut,
} from "./arrangements.ts";
export { callCallback, type CallCallbackOptions } from "./call-callback.ts";
export { loadDagFile } from "./load-dag-file.ts";
export type { CallbackReplacement, TestedCallback } from "./run-with-callbacks.ts";
export type { TestedAttempt, TestedRun, TestedTask } from "./tested-run.ts";

export interface RunDagOptions<Params extends object = object> {
  /** The run's conf; defaults are filled in, and what does not fit the DAG's schema is an error. */
  params?: Partial<Params>;
  /** When the run begins, and its logical date: ISO 8601 with offset. 2026-01-01T00:00:00Z unless given. */
  at?: string;
  variables?: { readonly [key: string]: string };
  /** By id; fields that are left out are null, and `extra` is {}. */
  connections?: { readonly [id: string]: Partial<Connection> };
  /** What people choose, by the id of the approval. */
  answers?: { readonly [taskId: string]: string };
  /** What is delivered, by the id of the task that waits for the event. */
  events?: { readonly [taskId: string]: Json };
  /** Events of assets that started the run, which tasks read as `asset_events`. */
  assetEvents?: readonly (Pick<ConsumedEvent, "asset"> & Partial<ConsumedEvent>)[];
  /** The environment of commands; empty unless given. */
  environment?: { readonly [name: string]: string };
  /** In the place of each callback that falls due: `call` calls the author's own, and does not reject. `() => {}` calls none. */
  callbacks?: CallbackReplacement;
  /** `stub`, `fail`, `timeOut`, `evict` and `takes`. */
  with?: readonly Arrangement[];
}

/** Rejects for what the test got wrong (names, params, a task that cannot run here); a failed run is a result. */
export async function runDag<Params extends object>(
  dag: Dag<Params>,
  options: RunDagOptions<Params> = {},
): Promise<TestedRun> {
  const compiled = readDag(dag, "runDag");
  const { definition } = compiled;
  checkAssetEvents(
    definition,
    (options.assetEvents ?? []).map((event) => event.asset),
  );
  const arranged = checkArrangements(compiled, options.with ?? []);
  const params = createParamsChecker().check(
    { ...definition, version_id: 0 },
    readJson(options.params ?? {}, "params"),
  );
  const clock = createVirtualClock(readStart(options.at ?? "2026-01-01T00:00:00Z"));
  // Made in the system's own place for such files, which clears it.
  const artifacts = createArtifacts(createFolderArtifacts(mkdtempSync(join(tmpdir(), "windlass-artifacts-"))));
  const world = {
    dag: compiled,
    clock,
    secrets: { variables: options.variables ?? {}, connections: completeConnections(options.connections ?? {}) },
    secretsHint: "give it to runDag as variables or connections",
    mapStack: (stack: string) => stack,
    replaceCallbacks: options.callbacks ?? ((_, call) => call()),
  } satisfies CallbackWorld;
  const runAttempt = createAttemptRunner({
    ...world,
    artifacts,
    assetEvents: completeEvents(options.assetEvents ?? [], clock.now()),
    environment: options.environment ?? {},
    mask: createMask([]),
    outside: readOutside(definition, options),
    runImage: ({ task_id }, image) => {
      const detail = `task "${task_id}" runs the image ${image}, which needs a cluster: give runDag a stub("${task_id}", …)`;
      throw failure("invalid_request", detail);
    },
    longestPauseMs: 0,
    note: () => {},
  });
  const record = recordAttempts(arrangeAttempts(runAttempt, arranged, clock), clock);
  const run = await runWithCallbacks(params, record.runAttempt, world);
  return presentRun({ ...run, seconds: clock.monotonic() / 1000, tasks: run.tasks.map(record.describe), artifacts });
}

function readStart(at: string): Date {
  // Without an offset it would be an instant of whoever's machine this is.
  if (instant.safeParse(at).success) return new Date(at);
  throw failure("invalid_request", `at is "${at}", which is no instant; an example is 2026-01-01T06:00:00Z`);
}

function completeEvents(given: NonNullable<RunDagOptions["assetEvents"]>, now: Date): ConsumedEvent[] {
  const source = { source_dag_id: null, source_run_id: null, source_task_id: null, source_map_index: null };
  return given.map((event) => ({
    uri: event.asset,
    extra: {},
    timestamp: now.toISOString(),
    ...source,
    ...event,
  }));
}

function readOutside(definition: DagDefinition, { answers = {}, events = {} }: RunDagOptions): Outside {
  const missing: Outside["missing"] = (id, what) =>
    `give runDag ${what}: { ${JSON.stringify(id)}: … }, or the task a timeout`;
  return { ...checkOutside(definition, { answers, events }), missing };
}
