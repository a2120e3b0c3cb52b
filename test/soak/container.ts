// What runs in a simulated pod: the real worker as a child process with the pod's environment, or, for tasks that bring an
// image of their own, a wait and an exit code.

import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { ANNOTATIONS } from "../../src/kubernetes/pod-labels.ts";
import { spawnTied } from "./child.ts";
import type { Ledger } from "./ledger.ts";
import type { SoakPod } from "./pod-api.ts";

const WORKER = fileURLToPath(new URL("../../dist/worker.js", import.meta.url));
const WORKER_PATH = "/opt/windlass/dist/worker.js";

export interface End {
  exitCode: number;
  signal: number | null;
  /** The end of what it wrote. */
  lastWords: string;
}

export interface Container {
  /** As tasks call themselves in the ledger. */
  worker: string;
  /** Without a worker of ours in it: the pod's status is all that is ever heard of its end. */
  bare: boolean;
  ended: Promise<End>;
  kill(signal: NodeJS.Signals): void;
}

/** As the kubelet keeps for terminationMessagePolicy FallbackToLogsOnError. */
const LAST_WORDS = 2048;
const SIGNALS: Partial<Record<NodeJS.Signals, number>> = { SIGKILL: 9, SIGTERM: 15 };

export function startContainer(pod: SoakPod, ledger: Ledger): Container {
  const [main] = pod.spec.containers;
  if (!main) throw new Error("a pod has a container");
  return main.command.includes(WORKER_PATH) ? startWorker(pod, main.env) : playContainer(pod, main, ledger);
}

function startWorker(pod: SoakPod, env: readonly { name: string; value: string }[]): Container {
  const child = spawnTied(process.execPath, [WORKER], {
    env: { ...Object.fromEntries(env.map(({ name, value }) => [name, value])), HOSTNAME: pod.metadata.name },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-LAST_WORDS);
    });
  }
  const ended = once(child, "close").then((values): End => {
    const [code, signal] = values as [number | null, NodeJS.Signals | null];
    const number = signal === null ? null : (SIGNALS[signal] ?? 1);
    return { exitCode: code ?? 128 + (number ?? 0), signal: number, lastWords: output };
  });
  return {
    worker: `${pod.metadata.name}/${child.pid}`,
    bare: false,
    ended,
    kill: (signal) => void child.kill(signal),
  };
}

type Main = SoakPod["spec"]["containers"][number];

function playContainer(pod: SoakPod, { command, env }: Main, ledger: Ledger): Container {
  const exitCode = Number(command[1]);
  const ms = Number(env.find(({ name }) => name === "SOAK_MS")?.value ?? 0);
  const worker = `${pod.metadata.name}/${pod.metadata.uid.slice(0, 8)}`;
  const place = {
    worker,
    run_id: pod.metadata.annotations[ANNOTATIONS.run] ?? "",
    task_id: pod.metadata.annotations[ANNOTATIONS.task] ?? "",
    try_number: Number(pod.metadata.annotations[ANNOTATIONS.tryNumber]),
  };
  const killed = new AbortController();
  let by: NodeJS.Signals | null = null;
  const live = async (): Promise<End> => {
    ledger.note({ event: "begin", ...place });
    await systemClock.sleep(ms, killed.signal);
    if (by !== null) return { exitCode: 128 + (SIGNALS[by] ?? 0), signal: SIGNALS[by] ?? null, lastWords: "" };
    ledger.note({ event: exitCode === 0 || exitCode === 99 ? "end" : "throw", ...place });
    return { exitCode, signal: null, lastWords: "" };
  };
  return {
    worker,
    bare: true,
    ended: live(),
    kill: (signal) => {
      by ??= signal;
      killed.abort();
    },
  };
}
