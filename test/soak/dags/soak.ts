// The workload: what tasks do is wait, and say at their begin and their end so to the soak's ledger. What is to become of
// each is in test/soak/workload.ts.

import { setTimeout as sleep } from "node:timers/promises";
import { dag, kubernetesPod, task } from "windlass";
import * as z from "zod";

interface Work {
  url: string;
  ms: number;
  /** Tries that fail before the first success. */
  fails?: number;
}

interface Place {
  run_id: string;
  task_id: string;
  try_number: number;
}

async function act({ url, ms, fails = 0 }: Work, { run_id, task_id, try_number }: Place) {
  // The kubelet names a container's host after its pod.
  const worker = `${process.env["HOSTNAME"]}/${process.pid}`;
  const note = async (event: string) => {
    const body = JSON.stringify({ event, worker, run_id, task_id, try_number });
    const answer = await fetch(url, { method: "POST", body });
    if (!answer.ok) throw new Error(`the ledger answered ${answer.status}`);
  };
  await note("begin");
  await sleep(ms);
  if (try_number <= fails) {
    await note("throw");
    throw new Error(`try ${try_number} fails on purpose`);
  }
  await note("end");
  return { worker };
}

const step = task("step", act);
const flaky = task("flaky", { retries: 2, retryDelay: 0 }, act);
const hopeless = task("hopeless", { retries: 1, retryDelay: 0 }, act);
const slow = task("slow", { executionTimeout: 1.5 }, act);
const last = task("last", { triggerRule: "all_done" }, act);

const params = z.object({ url: z.string(), ms: z.number() });

export const chain = dag("soak_chain", { params }, ({ params: { url, ms } }) => {
  const all = ["a", "b", "c", "d", "e"].map((id) =>
    id === "c" ? flaky.as(id)({ url, ms, fails: 1 }) : step.as(id)({ url, ms }),
  );
  all.reduce((before, after) => {
    before.before(after);
    return after;
  });
});

export const fan = dag("soak_fan", { params }, ({ params: { url, ms } }) => {
  const begin = step.as("begin")({ url, ms });
  const end = step.as("end")({ url, ms });
  for (let n = 1; n <= 10; n += 1) {
    const part = step.as(`part_${n}`)({ url, ms });
    begin.before(part);
    part.before(end);
  }
});

export const long = dag("soak_long", { params: params.extend({ long_ms: z.number() }) }, ({ params: p }) => {
  const join = step.as("join")({ url: p.url, ms: p.ms });
  for (const side of ["left", "right"]) step.as(side)({ url: p.url, ms: p.long_ms }).before(join);
});

const container = (id: string, exitCode: number, more: { retries?: number; skipOnExitCodes?: number[] } = {}) =>
  kubernetesPod(id, { image: "soak", cmds: ["soak", String(exitCode)], retryDelay: 0, ...more });
const passes = container("passes", 0);
const skips = container("skips", 99, { skipOnExitCodes: [99] });
const exits = container("exits", 3, { retries: 1 });

export const containers = dag("soak_containers", { params }, ({ params: { url, ms } }) => {
  const done = last.as("done")({ url, ms });
  for (const made of [passes, skips, exits]) made({ env: { SOAK_MS: ms } }).before(done);
});

export const doomed = dag("soak_doomed", { params }, ({ params: { url, ms } }) => {
  hopeless.as("hopeless")({ url, ms, fails: 9 }).before(step.as("never")({ url, ms }));
  slow.as("slow")({ url, ms: 60_000 });
});
