// A whole installation for a cluster test: its database, API and schedulers as processes on this machine, its task pods in a
// namespace of the cluster. Pods reach the API at this machine's address as the nodes see it.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "../../../src/cli/free-port.ts";
import { createRestClient, type RestClient } from "../../../src/cli/rest-client.ts";
import { tokenAnswer } from "../../../src/contract/rest-installation.ts";
import type { RunState } from "../../../src/core/states.ts";
import type { KubernetesHttp } from "../../../src/kubernetes/http.ts";
import type { PodView } from "../../../src/kubernetes/pod-view.ts";
import { connect, createNamespace, kubeconfigPath, serverAddress } from "../../support/api-server.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { deleteNamespace, listAllPods, waitForNoPods } from "./pods.ts";
import { type Process, startProcess } from "./processes.ts";
import { type FinishedRun, readLog, triggerRun, waitForDag, waitForRun } from "./runs.ts";

export interface Windlass {
  readonly apiUrl: string;
  readonly databaseUrl: string;
  readonly namespace: string;
  /** Where the schedulers look for DAG files; made empty, removed at the end. */
  readonly dagsFolder: string;
  readonly image: string;
  readonly rest: RestClient;
  readonly kubernetes: KubernetesHttp;
  /** Ready when its log says so. Several may run. `env` is laid over that of the installation. */
  startScheduler(env?: Record<string, string>): Promise<Process>;
  /** Always at `apiUrl`: stop or kill the one that runs before the next. */
  startApi(env?: Record<string, string>): Promise<Process>;
  waitForDag(dagId: string): Promise<void>;
  trigger(dagId: string, conf?: Record<string, unknown>): Promise<string>;
  waitForRun(dagId: string, runId: string, states?: readonly RunState[], limitMs?: number): Promise<FinishedRun>;
  /** The lines of one try, joined. */
  readLog(dagId: string, runId: string, taskId: string, tryNumber: number): Promise<string>;
  /** Of the installation's namespace, also those that are ending. */
  listPods(): Promise<PodView[]>;
  waitForNoPods(limitMs?: number): Promise<void>;
  /** Ends every process and removes all that was made. */
  stop(): Promise<void>;
}

export interface WindlassOptions {
  /** Settings of every process. */
  env?: Record<string, string>;
}

const PASSWORD = "a password for tests";

export function testImage(): string {
  const image = process.env["WINDLASS_TEST_IMAGE"];
  if (!image) throw new Error("set WINDLASS_TEST_IMAGE to the project's image, as the cluster's nodes can pull it");
  return image;
}

/** With an API that runs, and no scheduler yet. */
export async function startWindlass(options: WindlassOptions = {}): Promise<Windlass> {
  const kubernetes = connect();
  const database = await createTestDatabase();
  const namespace = await createNamespace(kubernetes);
  const folder = await mkdtemp(join(tmpdir(), "windlass-cluster-test-"));
  const port = await findFreePort(null);
  const apiUrl = `http://${await findNodeIp(kubernetes)}:${port}`;
  const processes: Process[] = [];
  const environment = {
    PATH: process.env["PATH"] ?? "",
    WINDLASS_DATABASE_URL: database.url,
    WINDLASS_DAGS_FOLDER: folder,
    WINDLASS_DATA_FOLDER: join(folder, ".data"),
    WINDLASS_EXECUTOR: "kubernetes",
    WINDLASS_KUBECONFIG: kubeconfigPath(),
    WINDLASS_NAMESPACES: namespace,
    WINDLASS_WORKER_IMAGE: testImage(),
    WINDLASS_API_URL: apiUrl,
    WINDLASS_LISTEN_PORT: String(port),
    WINDLASS_PROBE_PORT: "0",
    WINDLASS_ADMIN_PASSWORD: PASSWORD,
    WINDLASS_LOG_LEVEL: "info",
    ...options.env,
  };
  const start = async (role: string, ready: string, env: Record<string, string> = {}) => {
    const started = await startProcess([role], { ...environment, ...env }, ready);
    processes.push(started);
    return started;
  };
  const startApi = (env?: Record<string, string>) => start("api", "the API listens", env);
  const stop = async () => {
    await Promise.all(processes.map((one) => one.stop()));
    await deleteNamespace(kubernetes, namespace);
    await kubernetes.close();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  };

  try {
    await startApi();
    const rest = await signIn(apiUrl);
    return {
      apiUrl,
      databaseUrl: database.url,
      namespace,
      dagsFolder: folder,
      image: environment.WINDLASS_WORKER_IMAGE,
      rest,
      kubernetes,
      startApi,
      startScheduler: (env) => start("scheduler", "the scheduler runs", env),
      waitForDag: (dagId) => waitForDag(rest, dagId),
      trigger: (dagId, conf) => triggerRun(rest, dagId, conf),
      waitForRun: (dagId, runId, states, limitMs) => waitForRun(rest, dagId, runId, states, limitMs),
      readLog: (dagId, runId, taskId, tryNumber) => readLog(rest, dagId, runId, taskId, tryNumber),
      listPods: () => listAllPods(kubernetes, namespace),
      waitForNoPods: (limitMs) => waitForNoPods(kubernetes, namespace, limitMs),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function signIn(apiUrl: string): Promise<RestClient> {
  const anonymous = createRestClient(apiUrl, null);
  const { access_token } = await anonymous.post("/auth/token", { username: "admin", password: PASSWORD }, tokenAnswer);
  return createRestClient(apiUrl, access_token);
}

/** This machine's address on the way to the cluster, which is the one that pods can answer to. */
export async function findNodeIp(kubernetes: KubernetesHttp): Promise<string> {
  const given = process.env["WINDLASS_TEST_NODE_IP"];
  if (given) return given;
  const { host, port } = await serverAddress(kubernetes);
  const socket = createSocket("udp4");
  // Connecting a datagram socket sends nothing: it only chooses the route.
  socket.connect(port, host);
  await once(socket, "connect");
  const { address } = socket.address();
  socket.close();
  return address;
}
