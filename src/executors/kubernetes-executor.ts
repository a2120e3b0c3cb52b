// Attempts as pods of one cluster. The API server is authoritative for pods, the ledger (Postgres) for attempts; nothing is
// kept here that could not be read from them again. launch() and remove() are calls; what becomes of pods comes back through one watch per
// namespace, as observations into the ledger. When the API server is away, launches answer "retry" and watches back off;
// when the ledger is away, a watch goes back to its list. Neither ends the process or an attempt.

import { RESULT_ENVIRONMENT, WORKER_ENVIRONMENT } from "../contract/worker-process.ts";
import { failure } from "../core/errors.ts";
import { nameExecutor } from "../core/executor-name.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { MAIN_CONTAINER } from "../core/pod-snapshot.ts";
import { createKubernetesHttp } from "../kubernetes/http.ts";
import { type InClusterOptions, inClusterCredentials } from "../kubernetes/in-cluster.ts";
import { kubeconfigCredentials, type KubeconfigOptions } from "../kubernetes/kubeconfig.ts";
import { installationSelector } from "../kubernetes/pod-labels.ts";
import { readPodEvents } from "../kubernetes/pod-events.ts";
import { buildPod, type PodManifestInput } from "../kubernetes/pod-manifest.ts";
import { applyPolicy, type PodPolicy } from "../kubernetes/pod-policy.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import { combineServices } from "../lifecycle/service.ts";
import type { AttemptLedger, Executor, LaunchOrder, LaunchResult } from "./executor.ts";
import { launchPod } from "./kubernetes-launch.ts";
import { followContainerLog, readContainerLog } from "./kubernetes-logs.ts";
import { type KubernetesMonitor, UNMONITORED } from "./kubernetes-monitor.ts";
import { createQuotaGate } from "./kubernetes-quota.ts";
import { keepPod, removePod } from "./kubernetes-remains.ts";
import { createPermissionReport } from "./kubernetes-permissions.ts";
import { createNamespaceWatch, type WatchState } from "./kubernetes-watch.ts";

const LAUNCH_CONCURRENCY = 32;
// Connections that launches leave free for looking up, deleting and leases' lists.
const SPARE_CONNECTIONS = 8;
/** Not `windlass worker`: a shell between costs 20 ms at each start. */
const WORKER_COMMAND = ["node", "/opt/windlass/dist/worker.js"];
const RELIST_INTERVAL_MS = 10 * 60_000;

export interface KubernetesExecutorOptions {
  cluster: InClusterOptions | KubeconfigOptions;
  /** As tasks name it; null: the installation's own cluster. */
  clusterName?: string | null;
  /** Where pods are watched; a task may ask for any of them. */
  namespaces: readonly string[];
  defaultNamespace: string;
  /** The worker's image and command. */
  image: string;
  command?: readonly string[];
  /** Where the pods reach the execution API; null: they do not. */
  apiUrl: string | null;
  /** The base pod of the installation. */
  template: JsonObject | null;
  /** The administrator's word on every pod. */
  policy?: PodPolicy | null;
  /** Tells this installation's pods from another's in the same namespace. */
  installationId: string;
  /** This process, for leases. */
  holder: string;
  ledger: AttemptLedger;
  clock: Clock;
  log: Logger;
  launchConcurrency?: number;
  relistIntervalMs?: number;
  monitor?: KubernetesMonitor;
}

export interface KubernetesExecutor extends Executor {
  readonly name: ReturnType<typeof nameExecutor>;
  /** Of each namespace's watch, for probes and for people. */
  watchStates(): Record<string, WatchState>;
}

/** Throws `invalid_configuration`. */
export function createKubernetesExecutor(options: KubernetesExecutorOptions): KubernetesExecutor {
  const { clock, ledger, clusterName = null, monitor = UNMONITORED } = options;
  const name = nameExecutor(clusterName);
  const log = options.log.child({ executor: "kubernetes", ...(clusterName === null ? {} : { cluster: clusterName }) });
  // To another cluster this is another installation: two names for one namespace never see, nor sweep, each other's pods.
  const installationId = clusterName === null ? options.installationId : `${options.installationId}.${clusterName}`;
  if (!options.namespaces.includes(options.defaultNamespace)) {
    throw failure(
      "invalid_configuration",
      `the default namespace "${options.defaultNamespace}" is not among the namespaces (${options.namespaces.join(", ")})`,
    );
  }
  const launchConcurrency = options.launchConcurrency ?? LAUNCH_CONCURRENCY;
  let writeLimit = launchConcurrency;
  let onCapacity = () => {};
  const http = createKubernetesHttp({
    credentials:
      "inCluster" in options.cluster
        ? inClusterCredentials(options.cluster, clock, log)
        : kubeconfigCredentials(options.cluster, clock, log),
    clock,
    maxConnections: launchConcurrency + SPARE_CONNECTIONS,
    onRequest: monitor.onRequest,
    onOverload: monitor.onOverload,
    onLimit: (lane, limit) => {
      monitor.onLimit(lane, limit);
      if (lane !== "write") return;
      const grown = limit > writeLimit;
      writeLimit = limit;
      if (grown) onCapacity();
    },
  });
  const quotas = createQuotaGate(clock);
  const stopping = new AbortController();
  const states: Record<string, WatchState> = {};
  const permissions = createPermissionReport(http, options.namespaces, log);
  const watches = combineServices(
    "watches of pods",
    [...new Set(options.namespaces)].map((namespace) =>
      createNamespaceWatch({
        ledger,
        http,
        clock,
        log,
        holder: options.holder,
        executor: name,
        namespace,
        defaultNamespace: options.defaultNamespace,
        selector: installationSelector(installationId),
        relistIntervalMs: options.relistIntervalMs ?? RELIST_INTERVAL_MS,
        onState: (state) => {
          states[namespace] = state;
        },
        monitor,
      }),
    ),
  );

  const logs = { http, clock, defaultNamespace: options.defaultNamespace, signal: stopping.signal };

  const namespaceFor = (pod: JsonObject | null): string => {
    const metadata = pod?.["metadata"];
    const asked = isJsonObject(metadata) ? metadata["namespace"] : null;
    return typeof asked === "string" && asked !== "" ? asked : options.defaultNamespace;
  };

  return {
    name,
    // What an overloaded API server would only keep waiting is better left to other schedulers.
    get launchConcurrency() {
      return Math.min(launchConcurrency, writeLimit);
    },
    onCapacity: (listener) => {
      onCapacity = listener;
    },
    namespaceFor,
    launch: async (order, isOurs = () => true) => {
      const namespace = order.namespace ?? namespaceFor(order.pod);
      const refused = refuseUnwatched(options, namespace) ?? refuseUnreported(options, order);
      if (refused !== null) return refused;
      return quotas.pass(namespace, (onQuota) =>
        launchPod({ http, clock, signal: stopping.signal, isOurs, onQuota }, order, namespace, () =>
          manifestOf({ ...options, installationId }, order, namespace),
        ),
      );
    },
    readLog: (handle) => readContainerLog(logs, handle),
    followLog: (handle, from, ended) => followContainerLog(logs, handle, from, ended),
    readEvents: async (handle) => {
      const { namespace, pod_name, pod_uid: uid } = handle;
      if (uid === null) return null;
      const pod = { namespace: namespace ?? options.defaultNamespace, name: pod_name, uid };
      return readPodEvents(http, pod, MAIN_CONTAINER, stopping.signal);
    },
    keep: (handle) => keepPod(http, handle, handle.namespace ?? options.defaultNamespace, installationId),
    remove: (handle) => removePod(http, handle, handle.namespace ?? options.defaultNamespace),
    watchStates: () => ({ ...states }),
    start: async () => {
      await permissions.start();
      await watches.start();
    },
    stop: async () => {
      stopping.abort();
      await watches.stop();
      // Breaks off what is under way still, also the reviews that the report waits for.
      await http.close();
      await permissions.stop();
    },
  };
}

/** A pod in a namespace without a watch would never be heard of again. */
function refuseUnwatched(options: KubernetesExecutorOptions, namespace: string): LaunchResult | null {
  const { namespaces, clusterName = null } = options;
  if (namespaces.includes(namespace)) return null;
  const [whose, where] =
    clusterName === null
      ? ["this installation's", "the configuration"]
      : [`those of cluster "${clusterName}"`, "its entry in the file of WINDLASS_CLUSTERS"];
  return {
    kind: "refused",
    reason: `The namespace "${namespace}" is not one of ${whose} (${namespaces.join(", ")}); add it to ${where}`,
  };
}

/** Pods that have something to tell, in a cluster from where nobody could. */
function refuseUnreported(
  { apiUrl, clusterName = null }: KubernetesExecutorOptions,
  { work }: LaunchOrder,
): LaunchResult | null {
  if (apiUrl !== null || (work.kind === "container" && work.result_token === null)) return null;
  return {
    kind: "refused",
    reason: `Pods of cluster "${clusterName ?? ""}" cannot deliver results from files, because its entry in the file of WINDLASS_CLUSTERS has no apiUrl: set it to where they reach the API, or let the task write its result to /dev/termination-log`,
  };
}

function helperOf({ apiUrl }: KubernetesExecutorOptions, { attempt_id, work }: LaunchOrder) {
  if (work.kind !== "container" || work.result_token === null || work.container.result_file === null) return null;
  if (apiUrl === null) return null;
  return {
    [RESULT_ENVIRONMENT.address]: apiUrl,
    [RESULT_ENVIRONMENT.attempt]: attempt_id,
    [RESULT_ENVIRONMENT.token]: work.result_token,
    [RESULT_ENVIRONMENT.file]: work.container.result_file,
  };
}

async function manifestOf(
  options: KubernetesExecutorOptions,
  order: LaunchOrder,
  namespace: string,
): Promise<JsonObject> {
  const input: PodManifestInput = {
    attempt_id: order.attempt_id,
    epoch: order.epoch,
    dag_id: order.dag_id,
    run_id: order.run_id,
    task_id: order.task_id,
    map_index: order.map_index,
    try_number: order.try_number,
    cluster: options.clusterName ?? null,
    namespace,
    pod_name: order.pod_name,
    installationId: options.installationId,
    image: options.image,
    command: options.command ?? WORKER_COMMAND,
    environment:
      order.work.kind === "worker" && options.apiUrl !== null
        ? {
            [WORKER_ENVIRONMENT.address]: options.apiUrl,
            [WORKER_ENVIRONMENT.attempt]: order.attempt_id,
            [WORKER_ENVIRONMENT.token]: order.work.launch_token,
          }
        : {},
    container: order.work.kind === "container" ? order.work.container : null,
    helper: helperOf(options, order),
    template: options.template,
    pod: order.pod,
    memory_floor: order.memory_floor,
  };
  const pod = buildPod(input);
  return options.policy ? applyPolicy(options.policy, pod, input) : pod;
}
