// Makes the executors that the configuration names.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { jsonObject } from "../contract/definition.ts";
import { failure, messageOf } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import type { AttemptLedger, Executor } from "../executors/executor.ts";
import { createKubernetesExecutor } from "../executors/kubernetes-executor.ts";
import { createLocalExecutor } from "../executors/local-executor.ts";
import { chooseWorkerFile } from "../executors/local-worker-file.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { Configuration, Environment } from "./configuration.ts";
import { readClusters } from "./clusters-file.ts";
import { ROOT } from "./installation.ts";
import { monitorKubernetes } from "./kubernetes-metrics.ts";
import type { Metrics } from "./metrics.ts";
import { loadPodPolicy } from "./pod-policy-file.ts";

export interface ExecutorNeeds {
  configuration: Configuration;
  environment: Environment;
  ledger: AttemptLedger;
  /** Where workers reach the execution API. */
  apiUrl: string;
  installationId: string;
  holder: string;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
}

export interface Executors {
  /** Of this machine, or of the installation's own cluster. */
  home: Executor;
  /** One for each cluster of WINDLASS_CLUSTERS. */
  remotes: Executor[];
  /** Of those that have their own. */
  clusterParallelism: ReadonlyMap<string, number>;
}

/** Errors: invalid_configuration. What a cluster answers, or whether it does, is not asked. */
export async function composeExecutors(needs: ExecutorNeeds): Promise<Executors> {
  const { configuration, environment } = needs;
  const clusters = await readClusters(configuration.WINDLASS_CLUSTERS);
  const isLocal = configuration.WINDLASS_EXECUTOR === "local";
  if (isLocal && clusters.length === 0)
    return { home: composeLocal(needs), remotes: [], clusterParallelism: new Map() };
  const shared = await readPodSettings(needs);
  const clusterParallelism = new Map(
    clusters.flatMap(({ name, parallelism }) => (parallelism === undefined ? [] : [[name, parallelism] as const])),
  );
  const monitorOf = monitorKubernetes(needs.metrics.registry);
  const remotes = clusters.map(({ name, kubeconfigPath, context, ...entry }) =>
    createKubernetesExecutor({
      ...shared,
      ...entry,
      cluster: { kubeconfigPath, ...(context === undefined ? {} : { context }) },
      clusterName: name,
      monitor: monitorOf(name),
    }),
  );
  if (isLocal) return { home: composeLocal(needs), remotes, clusterParallelism };
  const namespaces = await chooseNamespaces(configuration);
  const [defaultNamespace] = namespaces;
  if (defaultNamespace === undefined) throw failure("invalid_configuration", "WINDLASS_NAMESPACES names no namespace");
  const home = createKubernetesExecutor({
    ...shared,
    cluster: chooseCluster(configuration, environment),
    namespaces,
    defaultNamespace,
    apiUrl: needs.apiUrl,
    monitor: monitorOf(null),
  });
  return { home, remotes, clusterParallelism };
}

function composeLocal({ configuration, environment, ...needs }: ExecutorNeeds): Executor {
  return createLocalExecutor({
    node: process.execPath,
    file: chooseWorkerFile(ROOT),
    environment,
    stateFolder: join(configuration.WINDLASS_DATA_FOLDER, "attempts"),
    slots: configuration.WINDLASS_LOCAL_SLOTS,
    apiUrl: needs.apiUrl,
    ledger: needs.ledger,
    clock: needs.clock,
    log: needs.log,
  });
}

/** What the pods of all clusters have in common. */
async function readPodSettings({ configuration, ...needs }: ExecutorNeeds) {
  const image = configuration.WINDLASS_WORKER_IMAGE;
  if (image === undefined) {
    throw failure(
      "invalid_configuration",
      'WINDLASS_WORKER_IMAGE is not set; it names the image of task pods, for example "windlass:0.1.0"',
    );
  }
  return {
    image,
    template: await readPodTemplate(configuration.WINDLASS_POD_TEMPLATE),
    policy: await loadPodPolicy(configuration.WINDLASS_POD_POLICY),
    installationId: needs.installationId,
    holder: needs.holder,
    ledger: needs.ledger,
    clock: needs.clock,
    log: needs.log,
    launchConcurrency: configuration.WINDLASS_LAUNCH_CONCURRENCY,
  };
}

/** Errors: invalid_configuration. */
export function chooseCluster(configuration: Configuration, environment: Environment) {
  // KUBECONFIG may name several files; the first one counts.
  const kubeconfigPath = configuration.WINDLASS_KUBECONFIG ?? environment["KUBECONFIG"]?.split(":")[0];
  if (kubeconfigPath) return { kubeconfigPath };
  const host = environment["KUBERNETES_SERVICE_HOST"];
  if (!host) {
    throw failure(
      "invalid_configuration",
      "there is no cluster to run pods on: outside of a pod, set WINDLASS_KUBECONFIG to a kubeconfig file, or WINDLASS_EXECUTOR=local",
    );
  }
  const port = environment["KUBERNETES_SERVICE_PORT"] ?? "443";
  return { inCluster: true as const, server: `https://${host.includes(":") ? `[${host}]` : host}:${port}` };
}

/** The default one first. */
export async function chooseNamespaces(configuration: Configuration): Promise<string[]> {
  return configuration.WINDLASS_NAMESPACES ?? [await readOwnNamespace()];
}

async function readOwnNamespace(): Promise<string> {
  const text = await readFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace", "utf8").catch(() => "default");
  return text.trim();
}

/** Errors: invalid_configuration. */
export async function readPodTemplate(path: string | undefined): Promise<JsonObject | null> {
  if (path === undefined) return null;
  try {
    return jsonObject.parse(parse(await readFile(path, "utf8")));
  } catch (error) {
    throw failure(
      "invalid_configuration",
      `WINDLASS_POD_TEMPLATE ${path} is not a YAML file with a Pod: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}
