// All that a soak needs, started in order and stopped in reverse: ledger, control plane, Postgres, the installation, the
// simulated node, and a REST client.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildWorker } from "../../scripts/build-worker.ts";
import type { RestClient } from "../../src/cli/rest-client.ts";
import { waitForDag } from "../cluster/support/runs.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { type SoakDatabase, startDatabase } from "./database.ts";
import { type Installation, startInstallation } from "./installation.ts";
import { type SoakKubelet, startKubelet } from "./kubelet.ts";
import { type Ledger, startLedger } from "./ledger.ts";
import type { Random } from "./random.ts";
import { DAGS } from "./workload.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const HEARTBEAT_TIMEOUT_SECONDS = 20;

export interface Rig {
  /** Holds the processes' logs. */
  folder: string;
  ledger: Ledger;
  plane: ControlPlane;
  database: SoakDatabase;
  installation: Installation;
  kubelet: SoakKubelet;
  rest: RestClient;
  /** SOAK_KEEP in the environment keeps the folder. */
  stop(): Promise<void>;
}

export async function startRig(random: Random): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), "windlass-soak-"));
  const cleanUps: (() => Promise<unknown>)[] = [];
  const onStop = <T extends { stop(): Promise<void> }>(one: T): T => {
    cleanUps.push(() => one.stop());
    return one;
  };
  const stop = async () => {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp();
    if (!process.env["SOAK_KEEP"]) await rm(folder, { recursive: true, force: true });
  };
  try {
    await buildWorker(ROOT);
    const ledger = onStop(await startLedger());
    const plane = onStop(await startControlPlane(folder));
    const database = onStop(await startDatabase(join(folder, "postgres")));
    const env = {
      WINDLASS_HEARTBEAT_INTERVAL: "1",
      WINDLASS_HEARTBEAT_TIMEOUT: String(HEARTBEAT_TIMEOUT_SECONDS),
      // However unlucky one task is: what counts is that it gets there.
      WINDLASS_INFRASTRUCTURE_RETRIES: "100",
      WINDLASS_PARALLELISM: "24",
    };
    const installation = onStop(await startInstallation({ folder, plane, database, env }));
    const kubelet = onStop(startKubelet(plane.http, installation.namespace, ledger, random.fork("kubelet")));
    const rest = await installation.rest();
    for (const dagId of Object.keys(DAGS)) await waitForDag(rest, dagId);
    return { folder, ledger, plane, database, installation, kubelet, rest, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
