// Wires the roles: reads nothing itself, is given the configuration, and returns services that main.ts runs.

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { createExecutionTokens } from "../api/execution-tokens.ts";
import type { ObjectStore } from "../core/object-store.ts";
import { createParamsChecker } from "../api/trigger-params.ts";
import { createProbeService } from "../api/probe-server.ts";
import { createApiService, type ApiOptions, type ApiService } from "../api/server.ts";
import { loadSigningKeys } from "../api/signing-keys.ts";
import { computeTimes } from "../dags/compute-times.ts";
import { createDagProcessor } from "../dags/dag-processor.ts";
import { DEFAULT_LIMITS } from "../dags/run-sealed.ts";
import { mapStack } from "../dags/source-stack.ts";
import type { AttemptLedger } from "../executors/executor.ts";
import { systemClock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import { createLoop } from "../lifecycle/loop.ts";
import { combineServices, type Service } from "../lifecycle/service.ts";
import { archiveLogs } from "../scheduler/archive-logs.ts";
import { createUpkeep } from "../scheduler/upkeep.ts";
import { createScheduler } from "../scheduler/scheduler.ts";
import type { OutcomeRules } from "../store/attempt-outcome.ts";
import { reconcileDagFiles, removeDagFile, saveDagFile, saveImportFault } from "../store/dag-files.ts";
import { createVersionCache } from "../store/dag-versions.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { createLedger } from "../store/ledger.ts";
import { checkSchema } from "../store/migrate.ts";
import { forgetProcess, recordProcess } from "../store/processes.ts";
import { createPostgresObjects } from "../store/postgres-objects.ts";
import { createSealer } from "../store/sealing.ts";
import { loadSecret } from "../store/settings.ts";
import { readPools } from "../store/pools.ts";
import { readBacklog } from "../store/read-backlog.ts";
import { observeBacklog } from "./backlog-metrics.ts";
import { observePools } from "./pool-metrics.ts";
import { composeExecutors } from "./compose-executor.ts";
import type { Configuration, Environment } from "./configuration.ts";
import { nameProcess } from "./configuration.ts";
import { MIGRATIONS, readVersion } from "./installation.ts";
import { observeLaunches } from "./launch-metrics.ts";
import { createMetrics } from "./metrics.ts";

const clock = systemClock;
// A loop that has not ended a pass for this long hangs; the slowest call has a deadline of 30 s.
const STALLED_MS = 120_000;
// After a worker must have stopped itself, so that two never run at once.
const REPLACEMENT_MARGIN_SECONDS = 30;
const API_HEARTBEAT_MS = 5_000;
const ARCHIVE_INTERVAL_MS = 30_000;

const fenceSeconds = (configuration: Configuration) =>
  configuration.WINDLASS_HEARTBEAT_TIMEOUT + REPLACEMENT_MARGIN_SECONDS;

export interface Role {
  configuration: Configuration;
  environment: Environment;
  log: Logger;
}

export function openStore(role: Role, url: string, kind: string): { db: Database; rules: OutcomeRules } {
  const { configuration, log } = role;
  const db = openDatabase({
    url,
    poolSize: configuration.WINDLASS_DATABASE_POOL_SIZE,
    applicationName: `windlass-${kind}`,
    log,
  });
  const rules = {
    versions: createVersionCache(),
    infrastructureBudget: configuration.WINDLASS_INFRASTRUCTURE_RETRIES,
    fence: fenceSeconds(configuration),
  };
  return { db, rules };
}

/** The folder watcher, the scheduler and its executor. Errors: invalid_configuration, unavailable, schema_older. */
export async function composeScheduler(
  role: Role,
  db: Database,
  rules: OutcomeRules,
  apiUrl: string,
): Promise<Service> {
  const { configuration, log } = role;
  await checkSchema(db, MIGRATIONS);
  const holder = nameProcess("scheduler", randomUUID);
  const keys = await loadSigningKeys(db, clock.now());
  const installationId = await loadSecret(db, "installation_id", randomUUID, clock.now());
  const tokens = createExecutionTokens(keys.execution, clock);
  const metrics = createMetrics("scheduler", readVersion());
  observeBacklog(metrics.registry, () => readBacklog(db, clock.now()), log);
  observePools(metrics.registry, () => readPools(db), log);
  const ledger: AttemptLedger = createLedger(db, rules, clock);
  const needs = { ...role, ledger, apiUrl, installationId, holder, clock, metrics };
  const { home, remotes, clusterParallelism } = await composeExecutors(needs);
  const scheduler = createScheduler({
    db,
    executor: home,
    remotes,
    rules,
    sealer: createSealer(configuration.WINDLASS_ENCRYPTION_KEYS ?? []),
    clock,
    log,
    holder,
    hostname: hostname(),
    newId: randomUUID,
    issueLaunchToken: tokens.issueLaunchToken,
    issueResultToken: tokens.issueResultToken,
    checkParams: createParamsChecker().check,
    limits: {
      parallelism: configuration.WINDLASS_PARALLELISM,
      clusterParallelism,
      launch: configuration.WINDLASS_LAUNCH_TIMEOUT,
      overdue: {
        image: configuration.WINDLASS_IMAGE_TIMEOUT,
        configuration: configuration.WINDLASS_CONFIGURATION_TIMEOUT,
        start: configuration.WINDLASS_START_TIMEOUT,
        heartbeat: fenceSeconds(configuration),
      },
    },
    onPass: metrics.onPass,
    onLaunch: observeLaunches(metrics.registry),
  });
  const probes = createProbeService({
    host: configuration.WINDLASS_LISTEN_HOST,
    port: configuration.WINDLASS_PROBE_PORT,
    isAlive: () => scheduler.stalledMs() < STALLED_MS,
    checkReady: async () => void (await checkSchema(db, MIGRATIONS)),
    metrics: metrics.registry,
    log,
  });
  const upkeep = createUpkeep({
    db,
    clock,
    log,
    holder,
    expression: configuration.WINDLASS_UPKEEP_SCHEDULE,
    retentionDays: configuration.WINDLASS_RETENTION_DAYS,
  });
  const objects = await composeObjects(configuration, db);
  const archive = createLoop({
    name: "archive-logs",
    intervalMs: ARCHIVE_INTERVAL_MS,
    clock,
    log,
    runOnce: (signal) => archiveLogs({ db, clock, log }, objects, signal),
    onPass: metrics.onPass,
  });
  return combineServices("scheduler", [
    composeDagProcessor(role, db),
    scheduler,
    upkeep,
    archive,
    probes,
    hurryAtStop(db),
  ]);
}

/** Started last, so stopped first: what stops after it does not wait for a Postgres that goes at the same time. */
function hurryAtStop(db: Database): Service {
  return { name: "database deadlines", start: async () => {}, stop: async () => db.hurry() };
}

/** Errors: invalid_configuration. */
async function composeObjects(configuration: Configuration, db: Database): Promise<ObjectStore> {
  const place = configuration.WINDLASS_STORAGE;
  if (place === "postgres") return createPostgresObjects(db);
  const { openObjectStore } = await import("../objects/open-object-store.ts");
  return openObjectStore(place);
}

function composeDagProcessor({ configuration, log }: Role, db: Database): Service {
  return createDagProcessor({
    folder: configuration.WINDLASS_DAGS_FOLDER,
    persist: {
      saveFile: async (file) => {
        const { created_versions } = await saveDagFile(db, file, clock.now());
        if (created_versions > 0)
          log.info({ file: file.filename, dags: file.definitions.map((one) => one.dag_id) }, "new DAG version");
      },
      saveFault: async (fault) => {
        log.warn({ file: fault.filename, line: fault.line, problem: fault.message }, "DAG file cannot be used");
        await saveImportFault(db, fault, clock.now());
      },
      removeFile: (filename) => removeDagFile(db, filename),
      reconcile: (filenames) => reconcileDagFiles(db, filenames),
    },
    clock,
    log,
    limits: {
      timeMs: configuration.WINDLASS_EVALUATION_TIMEOUT * 1000,
      memoryBytes: configuration.WINDLASS_EVALUATION_MEMORY * 2 ** 20,
    },
  });
}

/** The REST API and the execution API. Errors: invalid_configuration, unavailable. */
export async function composeApi(
  { configuration, log }: Role,
  db: Database,
  rules: OutcomeRules,
  access: ApiOptions["access"],
): Promise<ApiService> {
  const keys = await loadSigningKeys(db, clock.now());
  const identity = { id: nameProcess("api", randomUUID), kind: "api" as const, hostname: hostname() };
  const api = createApiService({
    db,
    rules,
    clock,
    log,
    metrics: createMetrics("api", readVersion()).registry,
    version: readVersion(),
    gitVersion: null,
    access,
    signingKey: keys.rest,
    executionTokens: createExecutionTokens(keys.execution, clock),
    objects: await composeObjects(configuration, db),
    sealer: createSealer(configuration.WINDLASS_ENCRYPTION_KEYS ?? []),
    heartbeatInterval: configuration.WINDLASS_HEARTBEAT_INTERVAL,
    heartbeatTimeout: configuration.WINDLASS_HEARTBEAT_TIMEOUT,
    mapStack: async (bundleHash, stack) => {
      const { source_map } = await rules.versions.loadBundle(db, bundleHash);
      return mapStack(stack, source_map, bundleHash).stack;
    },
    computeTimes: async ({ dag_id, version_id, after, until, count }) => {
      const { bundle_hash } = await rules.versions.loadVersion(db, version_id);
      const { code, source_map } = await rules.versions.loadBundle(db, bundle_hash);
      const bundle = { hash: bundle_hash, code, sourceMap: source_map };
      const question = { dag_id, after: after.getTime(), until: until.getTime(), count };
      return (await computeTimes(bundle, question, DEFAULT_LIMITS, clock)).times;
    },
    checkSchema: async () => void (await checkSchema(db, MIGRATIONS)),
    trustedProxies: [],
    host: configuration.WINDLASS_LISTEN_HOST,
    port: configuration.WINDLASS_LISTEN_PORT,
  });
  const heartbeat = createLoop({
    name: "heartbeat",
    intervalMs: API_HEARTBEAT_MS,
    clock,
    log,
    runOnce: async () => {
      await recordProcess(db, identity, clock.now());
      return { counts: {} };
    },
  });
  const services = combineServices("api", [api, heartbeat, hurryAtStop(db)]);
  return {
    ...services,
    address: api.address,
    stop: async () => {
      await services.stop();
      await forgetProcess(db, identity.id).catch((error: unknown) => log.debug({ err: error }, "cannot sign off"));
    },
  };
}
