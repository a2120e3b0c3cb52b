// The DAG that the cluster suite drops into the dags folder: four tasks in the middle, a result along each edge, a retry,
// and an effect in the outside world at the begin and the end of every attempt.

import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { dag, task } from "windlass";
import * as z from "zod";

async function note(url: string, name: string, event: "begin" | "end"): Promise<void> {
  await fetch(url, { method: "POST", body: JSON.stringify({ task: name, pod: hostname(), event }) });
}

async function act<T>(url: string, name: string, seconds: number, result: T): Promise<T> {
  await note(url, name, "begin");
  console.log(`${name} begins`);
  await sleep(seconds * 1000);
  await note(url, name, "end");
  return result;
}

const seed = task("seed", ({ url, seconds }: { url: string; seconds: number }) =>
  act(url, "seed", seconds, { start: 1 }),
);

const grow = task(
  "grow",
  ({ url, seconds, start, step }: { url: string; seconds: number; start: number; step: number }) =>
    act(url, `grow_${step}`, seconds, start + step),
);

const flaky = task(
  "flaky",
  { retries: 1, retryDelay: "1s" },
  async ({ url, values }: { url: string; values: number[] }, { try_number }) => {
    if (try_number === 1) throw new Error("the first try fails on purpose");
    return act(
      url,
      "flaky",
      0,
      values.reduce((sum, value) => sum + value, 0),
    );
  },
);

const check = task("check", async ({ url, total }: { url: string; total: number }) => {
  if (total !== 14) throw new Error(`the total is ${total}, not 14`);
  return act(url, "check", 0, total);
});

export default dag(
  "effects",
  { params: z.object({ url: z.string(), seconds: z.number().default(0) }) },
  ({ params: { url, seconds } }) => {
    const start = seed({ url, seconds }).get("start");
    const values = [1, 2, 3, 4].map((step) => grow.as(`grow_${step}`)({ url, seconds, start, step }));
    check({ url, total: flaky({ url, values }) });
  },
);
