// The product as a user has it on one machine: `bin/windlass standalone` with the local executor, on a folder of DAG files.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "../../src/cli/free-port.ts";
import { createRestClient, type RestClient } from "../../src/cli/rest-client.ts";
import { type Process, startProcess } from "../cluster/support/processes.ts";

export interface Standalone {
  /** Its data folder. */
  folder: string;
  /** Where its DAG files are. */
  dags: string;
  address: string;
  /** Of its process; commands that are given it talk to it. */
  environment: Record<string, string>;
  rest: RestClient;
  running: Process;
  /** And removes its folders. */
  stop(): Promise<void>;
}

/** @param files DAG files by name */
export async function startStandalone(files: Readonly<Record<string, string>>): Promise<Standalone> {
  const folder = await mkdtemp(join(tmpdir(), "windlass-standalone-"));
  const dags = await mkdtemp(join(tmpdir(), "windlass-dags-"));
  for (const [name, source] of Object.entries(files)) await writeFile(join(dags, name), source);
  const port = await findFreePort();
  const address = `http://127.0.0.1:${port}`;
  const environment = {
    PATH: process.env["PATH"] ?? "",
    WINDLASS_DATA_FOLDER: folder,
    WINDLASS_DAGS_FOLDER: dags,
    WINDLASS_LISTEN_PORT: String(port),
  };
  const running = await startProcess(["standalone"], environment, "Windlass serves on");
  return {
    folder,
    dags,
    address,
    environment,
    rest: createRestClient(address, null),
    running,
    stop: async () => {
      await running.stop();
      await Promise.all([folder, dags].map((path) => rm(path, { recursive: true, force: true })));
    },
  };
}
