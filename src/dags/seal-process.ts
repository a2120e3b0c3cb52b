// Closes, inside the evaluator's child, the ways out that Node's --permission leaves open (Node 26.10, tried one by one):
// signals to other processes, among them SIGUSR1 that opens a debugger in the parent; their priorities; V8 flags, of which
// some write files. node:sqlite, which writes files too, is switched off by a flag. The permission model stays the wall.

import { syncBuiltinESMExports } from "node:module";

const PROCESS_WAYS_OUT = [
  "kill",
  "_kill",
  "_debugProcess",
  "_debugEnd",
  "binding",
  "_linkedBinding",
  "dlopen",
  "execve",
  "exit",
  "reallyExit",
  "abort",
  "chdir",
  "umask",
  "setuid",
  "seteuid",
  "setgid",
  "setegid",
  "setgroups",
  "initgroups",
];

const MODULE_WAYS_OUT: Record<string, string[]> = {
  "node:os": ["setPriority"],
  "node:v8": ["setFlagsFromString", "setHeapSnapshotNearHeapLimit", "writeHeapSnapshot", "startupSnapshot"],
};

export function sealProcess(): void {
  for (const name of PROCESS_WAYS_OUT) close(process, "process", name);
  for (const [id, names] of Object.entries(MODULE_WAYS_OUT)) {
    const module: unknown = process.getBuiltinModule(id);
    if (typeof module !== "object" || module === null) continue;
    for (const name of names) close(module, id.slice("node:".length), name);
  }
  // Without it, named imports would still be the originals.
  syncBuiltinESMExports();
}

/** Node's own message advises on a flag that an author does not have. */
export function isSealedOff(error: object): boolean {
  return "code" in error && error.code === "ERR_ACCESS_DENIED";
}

function close(owner: object, ownerName: string, name: string): void {
  const refuse = () => {
    throw new Error(`${ownerName}.${name}() is not available while a DAG file is read; call it inside a task`);
  };
  // Writable, because modules that are loaded later wrap some of them; the originals are out of reach either way.
  Object.defineProperty(owner, name, { value: refuse, writable: true, configurable: true, enumerable: true });
}
