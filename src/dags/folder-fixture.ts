// A dags folder on disk, for tests.

import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface FolderFixture extends AsyncDisposable {
  folder: string;
  write(path: string, text: string): Promise<void>;
}

export async function createFolder(files: Record<string, string> = {}): Promise<FolderFixture> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "windlass-dags-")));
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  for (const [path, text] of Object.entries(files)) await write(path, text);
  return { folder, write, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** A DAG file without the sdk: what `dag()` leaves behind, built by hand. */
export function dagFile(dagId: string, definition: Record<string, unknown> = {}): string {
  return `export default { [Symbol.for("windlass.dag")]: ${JSON.stringify({ definition: plainDag(dagId, definition), functions: {} })} };\n`;
}

export function plainTask(taskId: string, task: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    task_id: taskId,
    kind: "empty",
    upstream: [],
    trigger_rule: "all_success",
    inputs: {},
    retries: 0,
    retry_delay: 0,
    execution_timeout: null,
    pod: null,
    container: null,
    description: null,
    ...task,
  };
}

export function plainDag(dagId: string, definition: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    dag_id: dagId,
    description: null,
    tags: [],
    schedule: null,
    start_date: null,
    end_date: null,
    catchup: false,
    max_active_runs: 16,
    max_active_tasks: 16,
    params_schema: null,
    is_paused_upon_creation: false,
    tasks: [plainTask("one")],
    ...definition,
  };
}
