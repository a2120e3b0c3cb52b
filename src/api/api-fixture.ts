// For the tests of this folder: the API on a database of its own, with a clock that they set.

import { Registry } from "prom-client";
import type { z } from "zod";
import type { DagDefinition, TaskDefinition } from "../core/definition.ts";
import type { JsonObject } from "../core/json.ts";
import { type Clock, systemClock } from "../lifecycle/clock.ts";
import { createLogger } from "../lifecycle/log.ts";
import { createVersionCache } from "../store/dag-versions.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { saveDagFile } from "../store/dag-files.ts";
import { createPostgresObjects } from "../store/postgres-objects.ts";
import { createManualRun } from "../store/run-creation.ts";
import { createSealer } from "../store/sealing.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { dagOf, taskOf } from "../../test/support/store-bundle.ts";
import type { ApiOptions, ApiServer } from "./api-server.ts";
import { createExecutionTokens, type ExecutionTokens } from "./execution-tokens.ts";
import { createApi } from "./server.ts";

export const START = new Date("2026-03-01T12:00:00.000Z");
export const PASSWORD = "correct horse";

export interface ApiFixture {
  api: ApiServer;
  db: Database;
  tokens: ExecutionTokens;
  options: ApiOptions;
  /** Moves both times of the clock. */
  advance(seconds: number): void;
  now(): Date;
  /** The parsed answer; throws unless its status is `status` and it fits `schema`. */
  get<Schema extends z.ZodType>(path: string, schema: Schema, status?: number): Promise<z.output<Schema>>;
  call<Schema extends z.ZodType>(request: Call, schema: Schema, status: number): Promise<z.output<Schema>>;
  close(): Promise<void>;
}

export interface Call {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  url: string;
  payload?: JsonObject;
  headers?: Record<string, string>;
}

export async function openApiFixture(change: Partial<ApiOptions> = {}): Promise<ApiFixture> {
  const database = await createTestDatabase();
  const log = createLogger("silent");
  const db = openDatabase({ url: database.url, poolSize: 4, applicationName: "api-test", log });
  let now = START;
  let elapsed = 0;
  const clock: Clock = { now: () => now, monotonic: () => elapsed, sleep: systemClock.sleep };
  const tokens = createExecutionTokens("execution key", clock);
  const options: ApiOptions = {
    db,
    clock,
    log,
    metrics: new Registry(),
    version: "1.2.3",
    gitVersion: null,
    access: { kind: "open" },
    signingKey: "rest key",
    executionTokens: tokens,
    objects: createPostgresObjects(db),
    sealer: createSealer([Buffer.alloc(32, 1).toString("base64")]),
    rules: { versions: createVersionCache(), infrastructureBudget: 3, fence: 330 },
    heartbeatInterval: 5,
    heartbeatTimeout: 30,
    mapStack: async (bundleHash, stack) => `${bundleHash}:${stack}`,
    computeTimes: async () => [],
    checkSchema: async () => {},
    trustedProxies: [],
    ...change,
  };
  const api = await createApi(options);
  const call = async <Schema extends z.ZodType>(
    request: Call,
    schema: Schema,
    status: number,
  ): Promise<z.output<Schema>> => {
    const answer = await api.inject(request);
    if (answer.statusCode !== status)
      throw new Error(`${request.method} ${request.url} → ${answer.statusCode}: ${answer.body}`);
    return schema.parse(answer.json());
  };
  return {
    api,
    db,
    tokens,
    options,
    advance: (seconds) => {
      now = new Date(now.getTime() + seconds * 1000);
      elapsed += seconds * 1000;
    },
    now: () => now,
    call,
    get: (path, schema, status = 200) => call({ method: "GET", url: path }, schema, status),
    close: async () => {
      await api.close();
      await db.close();
      await database.drop();
    },
  };
}

export function makeTask(task_id: string, change: Partial<TaskDefinition> = {}): TaskDefinition {
  return taskOf(task_id, [], { retry_delay: 1, ...change });
}

export function makeDag(dag_id: string, change: Partial<DagDefinition> = {}): DagDefinition {
  const tasks = [makeTask("first"), makeTask("second", { upstream: ["first"] })];
  return dagOf(dag_id, tasks, { max_active_tasks: 16, ...change });
}

/** Keeps the definition under `<dag_id>.ts`, with a bundle whose hash is `hash-<dag_id>`. */
export async function publishDag(
  fixture: ApiFixture,
  definition: DagDefinition,
  code = "exports.x = 1",
): Promise<void> {
  const filename = `${definition.dag_id}.ts`;
  const sourceMap = JSON.stringify({
    version: 3,
    sources: ["windlass:sdk/index.ts", filename],
    sourcesContent: [null, `// ${filename}`],
  });
  const bundle = { hash: `hash-${definition.dag_id}`, code, sourceMap };
  await saveDagFile(fixture.db, { filename, bundle, definitions: [definition] }, fixture.now());
}

export async function triggerRun(
  fixture: ApiFixture,
  dagId: string,
  runId: string,
  runAfter: string | null = null,
): Promise<void> {
  await createManualRun(
    fixture.db,
    {
      dag_id: dagId,
      dag_run_id: runId,
      logical_date: null,
      run_after: runAfter,
      conf: {},
      params: {},
      note: null,
      triggered_by: "test",
      user: null,
    },
    fixture.now(),
  );
}

/** A queued attempt of an unmapped task instance, which becomes its newest; its id. */
export async function queueAttempt(
  fixture: ApiFixture,
  place: { dag_id: string; dag_run_id: string; task_id: string; epoch?: number; try_number?: number },
): Promise<string> {
  const { rows } = await fixture.db.query<{ id: string }>({
    text: `
      with instance as (
        update task_instance i set state = 'queued', epoch = $4, try_number = $5, queued_at = $6
        from dag_run r where r.id = i.run_id and r.dag_id = $1 and r.dag_run_id = $2 and i.task_id = $3 returning i.id)
      insert into attempt (id, task_instance_id, epoch, try_number, state, executor, launch_failures, queued_at)
      select gen_random_uuid(), instance.id, $4, $5, 'queued', 'local', 0, $6 from instance returning id`,
    values: [place.dag_id, place.dag_run_id, place.task_id, place.epoch ?? 1, place.try_number ?? 1, fixture.now()],
  });
  const row = rows[0];
  if (!row) throw new Error(`no task instance ${place.task_id} in ${place.dag_run_id}`);
  return row.id;
}
