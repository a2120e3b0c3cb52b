// A dags folder on disk, for tests.

import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { dagOf, taskOf } from "../../test/support/store-bundle.ts";

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
  return { ...taskOf(taskId), kind: "empty", ...task };
}

export function plainDag(dagId: string, definition: Record<string, unknown> = {}): Record<string, unknown> {
  return { ...dagOf(dagId, []), max_active_tasks: 16, tasks: [plainTask("one")], ...definition };
}
