// What is put to the test: two schedulers and two APIs as real processes, each with connections of its own through proxies
// to Postgres and to the API server, and workers that reach the APIs through a proxy that takes them in turn.

import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findFreePort } from "../../src/cli/free-port.ts";
import { createRestClient, type RestClient } from "../../src/cli/rest-client.ts";
import { tokenAnswer } from "../../src/contract/rest-installation.ts";
import { createNamespace } from "../support/api-server.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { SoakDatabase } from "./database.ts";
import { type Crash, type Member, startMember } from "./member.ts";

const DAGS = fileURLToPath(new URL("./dags", import.meta.url));
const PASSWORD = "a password for soaks";

export interface Installation {
  namespace: string;
  schedulers: readonly Member[];
  apis: readonly Member[];
  /** By the names of their two ends, e.g. "scheduler-1 to postgres". */
  proxies: ReadonlyMap<string, FaultProxy>;
  crashes: readonly Crash[];
  /** Starts that ended before the process worked. */
  refusedStarts(): number;
  rest(): Promise<RestClient>;
  /** May be repeated. */
  stop(): Promise<void>;
}

export interface InstallationOptions {
  folder: string;
  plane: ControlPlane;
  database: SoakDatabase;
  env: Record<string, string>;
}

export async function startInstallation({ folder, plane, database, env }: InstallationOptions): Promise<Installation> {
  const namespace = await createNamespace(plane.http);
  const dags = join(folder, "dags");
  await cp(DAGS, dags, { recursive: true });
  await mkdir(join(folder, "log"), { recursive: true });
  const proxies = new Map<string, FaultProxy>();
  const crashes: Crash[] = [];
  let refused = 0;

  const openProxy = async (name: string, port: number | (() => number)) => {
    const proxy = await startFaultProxy("127.0.0.1", port);
    proxies.set(name, proxy);
    return proxy.port;
  };
  const apiPorts = [await findFreePort(), await findFreePort()];
  let turn = 0;
  const nextApi = () => apiPorts[turn++ % apiPorts.length] ?? 0;
  const apiUrl = `http://127.0.0.1:${await openProxy("workers to api", nextApi)}`;

  const start = async (name: string, role: "scheduler" | "api", own: Record<string, string>, readyLine: string) => {
    const postgres = await openProxy(`${name} to postgres`, database.port);
    return startMember({
      name,
      role,
      readyLine,
      logFile: join(folder, "log", `${name}.log`),
      onCrash: (crash) => crashes.push(crash),
      onRefused: () => void (refused += 1),
      env: {
        PATH: process.env["PATH"] ?? "",
        WINDLASS_DATABASE_URL: database.through(postgres),
        WINDLASS_EXECUTOR: "kubernetes",
        WINDLASS_DAGS_FOLDER: dags,
        WINDLASS_NAMESPACES: namespace,
        WINDLASS_WORKER_IMAGE: "windlass",
        WINDLASS_API_URL: apiUrl,
        WINDLASS_ADMIN_PASSWORD: PASSWORD,
        WINDLASS_LISTEN_HOST: "127.0.0.1",
        WINDLASS_PROBE_PORT: "0",
        WINDLASS_LOG_LEVEL: "info",
        ...env,
        ...own,
      },
    });
  };
  const startScheduler = async (name: string) => {
    const port = await openProxy(`${name} to kube-apiserver`, plane.port);
    const kubeconfig = join(folder, `${name}.kubeconfig`);
    const text = await readFile(plane.kubeconfig, "utf8");
    await writeFile(kubeconfig, text.replace(/https:\/\/[^"]+/, `https://127.0.0.1:${port}`));
    return start(name, "scheduler", { WINDLASS_KUBECONFIG: kubeconfig }, "the scheduler runs");
  };

  const apis = [];
  for (const [index, port] of apiPorts.entries()) {
    apis.push(await start(`api-${index + 1}`, "api", { WINDLASS_LISTEN_PORT: String(port) }, "the API listens"));
  }
  const schedulers = [await startScheduler("scheduler-1"), await startScheduler("scheduler-2")];
  const members = [...schedulers, ...apis];
  await Promise.all(members.map((one) => one.waitUntilReady()));
  let stopping: Promise<void> | null = null;
  const stop = async () => {
    await Promise.all(members.map((one) => one.stop()));
    await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
  };
  return {
    namespace,
    schedulers,
    apis,
    proxies,
    crashes,
    refusedStarts: () => refused,
    rest: async () => {
      const anonymous = createRestClient(apiUrl, null);
      const account = { username: "admin", password: PASSWORD };
      const { access_token } = await anonymous.post("/auth/token", account, tokenAnswer);
      return createRestClient(apiUrl, access_token);
    },
    stop: () => (stopping ??= stop()),
  };
}
