// Lets the output of processes that a task starts with "inherit" reach its log. They write past JavaScript, so in place of this
// process's own stdout and stderr they get named pipes, made for the first of them, whose other ends the supervisor thread reads
// (child-output.ts), also while this thread waits for such a process.

import { messageOf } from "../core/errors.ts";
import { closePair, makePipes, type OutputPair } from "./named-pipes.ts";

type ChildProcessModule = typeof import("node:child_process");
type AnyFunction = (...args: unknown[]) => unknown;

export interface ChildPipes {
  /** This process has no more use for them; its children may. */
  close(): void;
}

const STARTERS = ["spawn", "fork", "spawnSync", "execSync", "execFileSync"] as const;
/** They return when the process has ended. */
const WAITING: ReadonlySet<string> = new Set(["spawnSync", "execSync", "execFileSync"]);

interface Handlers {
  onOpen(readable: OutputPair): void;
  onFault(reason: string): void;
  /** Before a process begins to write and after it has ended: its lines stand between those of the task. */
  catchUp(): void;
}

/** node:child_process is changed when user code loads it: it costs every other task its start. */
export function pipeChildren({ onOpen, onFault, catchUp }: Handlers): ChildPipes {
  let pipes: OutputPair | null = null;
  let isChanged = false;
  let isBroken = false;

  const open = (run: ChildProcessModule["execFileSync"]): OutputPair | null => {
    if (pipes !== null || isBroken) return pipes;
    try {
      const made = makePipes(run);
      pipes = made.writable;
      onOpen(made.readable);
    } catch (error) {
      isBroken = true;
      onFault(messageOf(error));
    }
    return pipes;
  };

  const change = (module: ChildProcessModule) => {
    const run = module.execFileSync;
    for (const name of STARTERS) {
      // What is given on are the arguments, with one option replaced.
      const start = module[name] as unknown as AnyFunction;
      const piped: AnyFunction = (...args) => {
        const given = pipeArguments(name, args, () => open(run));
        if (given === args) return start(...args);
        catchUp();
        try {
          return start(...given);
        } finally {
          if (WAITING.has(name)) catchUp();
        }
      };
      Object.assign(module, { [name]: Object.defineProperties(piped, Object.getOwnPropertyDescriptors(start)) });
    }
  };

  const load: (id: string) => unknown = process.getBuiltinModule.bind(process);
  process.getBuiltinModule = ((id: string) => {
    const module = load(id);
    if (/^(node:)?child_process$/.test(id) && !isChanged) {
      isChanged = true;
      change(module as ChildProcessModule);
    }
    return module;
  }) as typeof process.getBuiltinModule;

  return {
    close: () => {
      if (pipes === null) return;
      closePair(pipes);
      pipes = null;
      isBroken = true;
    },
  };
}

function pipeArguments(name: (typeof STARTERS)[number], args: unknown[], open: () => OutputPair | null): unknown[] {
  const hasList = name !== "execSync" && (Array.isArray(args[1]) || args[1] === undefined || args[1] === null);
  const place = hasList ? 2 : 1;
  const given = args[place];
  const options: { stdio?: unknown; silent?: unknown } = typeof given === "object" && given !== null ? given : {};
  // A forked process inherits unless told otherwise.
  const stdio = options.stdio ?? (name === "fork" && !options.silent ? "inherit" : undefined);
  const list = stdio === "inherit" ? ["inherit", "inherit", "inherit", ...(name === "fork" ? ["ipc"] : [])] : stdio;
  if (!Array.isArray(list)) return args;
  const wanted = list.map(nameOutput);
  if (wanted.every((output) => output === null)) return args;
  const pipes = open();
  if (pipes === null) return args;
  const piped = list.map((each: unknown, index) => {
    const output = wanted[index];
    return output ? pipes[output] : each;
  });
  return args.toSpliced(place, 1, { ...options, stdio: piped });
}

/** Which of our streams an entry of `stdio` is: "inherit" in its place, a descriptor, or a stream that has one. */
function nameOutput(entry: unknown, index: number): keyof OutputPair | null {
  const fd: unknown =
    entry === "inherit" ? index : typeof entry === "object" && entry !== null ? Reflect.get(entry, "fd") : entry;
  return fd === 1 ? "stdout" : fd === 2 ? "stderr" : null;
}
