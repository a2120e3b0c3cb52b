// Keeps what Postgres knows of DAGs in step with the dags folder. The folder is authoritative for definitions; the sink
// decides what a fault or a removal means for what is stored (the last good version stays). A file is processed when it or
// anything that it was made of changes. When the sink fails its call is repeated with backoff until it succeeds or a newer
// state of the file takes its place: nothing is lost, and other files go on meanwhile.

import { resolve } from "node:path";
import type { DagDefinition } from "../core/definition.ts";
import { isFailure, messageOf } from "../core/errors.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import type { Service } from "../lifecycle/service.ts";
import { describeFault, type ImportFault } from "./import-fault.ts";
import { createKeyedQueue } from "./keyed-queue.ts";
import { mentionsWindlass, type ProcessedFile, processFile } from "./process-file.ts";
import { DEFAULT_LIMITS, type EvaluationLimits } from "./run-sealed.ts";
import { isWalked } from "./scan-folder.ts";
import { type FolderChange, watchFolder } from "./watch-folder.ts";

/** Where the outcome goes; every call may be repeated. */
export interface DagSink {
  /** Errors: already_exists when another file defines one of the DAGs, which becomes a fault of this file. */
  saveFile(file: SavedFile): Promise<void>;
  /** Keeps the file's last good DAGs active. */
  saveFault(fault: ImportFault): Promise<void>;
  /** The file is gone or defines no DAG any more; it may be one that was never saved. */
  removeFile(filename: string): Promise<void>;
  /** At start: files that are known and not in this list are gone. */
  reconcile(filenames: string[]): Promise<void>;
}

export interface SavedFile {
  /** Relative to the dags folder. */
  filename: string;
  bundle: { hash: string; code: string; sourceMap: string };
  definitions: DagDefinition[];
  /** Of the repository that the folder is in; null: in none. */
  commit: string | null;
}

export interface DagProcessor extends Service {
  /** Resolves when the folder has been read and everything that was found in it is saved. */
  whenIdle(): Promise<void>;
}

export interface DagProcessorOptions {
  folder: string;
  persist: DagSink;
  clock: Clock;
  log: Logger;
  limits?: Partial<EvaluationLimits>;
  /** Children at once. */
  concurrency?: number;
}

interface FileState {
  /** Counts changes: what was made of an older state of the file is dropped. */
  generation: number;
  /** null: not processed yet, or the bundler could not tell. */
  inputs: ReadonlySet<string> | null;
  /** Processed, but perhaps not saved yet. */
  result: ProcessedFile | null;
  /** Another file defines one of its DAGs. */
  isDuplicate: boolean;
  /** The sink may hold something of it. */
  isKnown: boolean;
}

/** No file has an empty name. */
const RECONCILE = "";
/** Written last by npm and pnpm: packages that a DAG lacked may be there now. */
const INSTALL_MARKS = ["node_modules/.package-lock.json", "node_modules/.modules.yaml"];

export function createDagProcessor(options: DagProcessorOptions): DagProcessor {
  const { persist, clock, log, concurrency = 2 } = options;
  const folder = resolve(options.folder);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const states = new Map<string, FileState>();
  const firstLook = Promise.withResolvers<void>();
  let dagFiles: ReadonlySet<string> = new Set();
  let isReconciled = false;

  const stateOf = (filename: string): FileState => {
    const state = states.get(filename) ?? {
      generation: 0,
      inputs: null,
      result: null,
      isDuplicate: false,
      isKnown: false,
    };
    states.set(filename, state);
    return state;
  };

  const onChange = (change: FolderChange) => {
    dagFiles = change.dagFiles;
    const touched = [...change.changed, ...change.deleted];
    const affected = new Set(touched.filter((path) => dagFiles.has(path) || states.has(path)));
    for (const [filename, { inputs, generation }] of states) {
      // Generation 0 is a file that is still being written.
      if (inputs ? touched.some((path) => inputs.has(path)) : generation > 0) affected.add(filename);
    }
    for (const filename of affected) {
      const state = stateOf(filename);
      state.generation += 1;
      state.result = null;
    }
    if (isReconciled) enqueue(affected);
    else queue.add(RECONCILE);
    firstLook.resolve();
  };

  /** Removals first: a file under a new name takes over the DAGs of the old one. */
  const enqueue = (filenames: Iterable<string>) => {
    const sorted = [...filenames].toSorted(
      (a, b) => Number(dagFiles.has(a)) - Number(dagFiles.has(b)) || (a < b ? -1 : 1),
    );
    for (const filename of sorted) queue.add(filename);
  };

  const reconcile = async () => {
    if (isReconciled) return;
    const files = [...dagFiles].toSorted();
    const mentions = await Promise.all(files.map((filename) => mentionsWindlass(folder, filename)));
    const known = files.filter((_filename, index) => mentions[index]);
    await persist.reconcile(known);
    isReconciled = true;
    for (const filename of known) stateOf(filename).isKnown = true;
    // States are made when a file has settled; the others follow then.
    enqueue([...states].filter(([, state]) => state.generation > 0).map(([filename]) => filename));
  };

  const remove = async (filename: string, state: FileState) => {
    if (state.isKnown) await persist.removeFile(filename);
    state.isKnown = false;
    state.isDuplicate = false;
    if (!dagFiles.has(filename)) states.delete(filename);
    retryDuplicates(filename);
  };

  const save = async (
    filename: string,
    { bundle, definitions, commit }: ProcessedFile & { kind: "dags" },
    state: FileState,
  ) => {
    state.isKnown = true;
    try {
      const { hash, code, sourceMap } = bundle;
      await persist.saveFile({ filename, bundle: { hash, code, sourceMap }, definitions, commit });
    } catch (error) {
      if (!isFailure(error, "already_exists")) throw error;
      await persist.saveFault(describeFault(filename, messageOf(error), ""));
      state.isDuplicate = true;
      return;
    }
    state.isDuplicate = false;
    // The file may have given up a DAG that another one waits for.
    retryDuplicates(filename);
  };

  const retryDuplicates = (but: string) => {
    for (const [filename, state] of states) if (state.isDuplicate && filename !== but) queue.add(filename);
  };

  const update = async (filename: string, signal: AbortSignal) => {
    const state = stateOf(filename);
    if (!dagFiles.has(filename)) return remove(filename, state);
    const { generation } = state;
    const result = state.result ?? (await processFile(folder, filename, limits, clock, signal));
    // A change meanwhile has put the file into the queue again.
    if (state.generation !== generation || signal.aborted) return;
    state.result = result;
    state.inputs = result.inputs && new Set(result.inputs);
    switch (result.kind) {
      case "dags":
        return save(filename, result, state);
      case "fault":
        state.isKnown = true;
        state.isDuplicate = false;
        return persist.saveFault(result.fault);
      case "none":
        return remove(filename, state);
    }
  };

  const alsoWatch = () => {
    const paths = new Set(INSTALL_MARKS);
    for (const { inputs } of states.values()) for (const input of inputs ?? []) if (!isWalked(input)) paths.add(input);
    return paths;
  };

  const queue = createKeyedQueue({
    run: (key, signal) => (key === RECONCILE ? reconcile() : update(key, signal)),
    concurrency,
    clock,
    log,
  });
  const watcher = watchFolder({ folder, onChange, alsoWatch, clock, log });

  return {
    name: "dag-processor",
    start: () => watcher.start(),
    stop: async () => {
      await watcher.stop();
      await queue.stop();
    },
    whenIdle: () => firstLook.promise.then(() => queue.whenIdle()),
  };
}
