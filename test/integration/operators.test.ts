// Branches, commands, waits and callbacks in the product as a user has it: `bin/windlass standalone` with the local executor.

import { afterEach, beforeEach, expect, it } from "vitest";
import { explanationAnswer } from "../../src/contract/rest-explain.ts";
import { resultAnswer, taskInstanceAnswer } from "../../src/contract/rest-task-instances.ts";
import { callbacksAnswer } from "../../src/contract/rest-waits.ts";
import { pollUntil } from "../cluster/support/poll.ts";
import { listTasks, readLog, triggerRun, waitForDag, waitForRun } from "../cluster/support/runs.ts";
import { type Standalone, startStandalone } from "../support/standalone.ts";

const DAGS = `
import { execSync } from "node:child_process";
import { approval, bash, branch, dag, empty, sensor, shortCircuit, task, triggerDag, waitFor, waitForEvent } from "windlass";
import * as z from "zod";

const say = bash("say", { command: 'echo "hello $WORD"; echo "oops" >&2; echo last' });
const pick = branch("pick", ({ said }: { said: string | null }) => (said === "last" ? "right" : "wrong"));
const look = sensor("look", { every: "1s" }, async ({ url }: { url: string }) => {
  const { version } = (await (await fetch(url)).json()) as { version?: string };
  return version === undefined ? false : { done: true, value: version };
});
const order = waitForEvent("order", { schema: z.object({ id: z.string() }) });
const ask = approval("ask", { subject: "Ship it?", options: ["ship", "hold"], rejects: ["hold"] });
const report = task("report", ({ id, option, seen }: { id: string; option: string; seen: string }) => \`\${id} \${option} \${seen !== ""}\`);
const fails = task("fails", { onFailure: ({ reason }) => { if (!reason?.includes("on purpose")) throw new Error("told wrong"); } }, () => {
  throw new Error("on purpose");
});
const tidy = task("tidy", { triggerRule: "all_done" }, () => {
  console.log("begin");
  execSync("echo tidying; echo done", { stdio: "inherit" });
  console.log("end");
});

export const main = dag("operators", { params: z.object({ url: z.string() }), onSuccess: () => {} }, ({ params }) => {
  const wrong = empty("wrong")();
  const pause = waitFor("pause", "1s")();
  pick({ said: say({ env: { WORD: "there; exit 3" } }) }).to({ right: pause, wrong });
  const called = triggerDag("call", { dagId: "other", wait: true })({ conf: { n: 2 } });
  pause.before(called);
  const done = report({ id: order().get("id"), option: ask().get("option"), seen: look({ url: params.url }) });
  tidy().after(fails(), done, called);
});
const work = task("work", ({ n }: { n: number }) => n * 2);
const open = shortCircuit("open", () => false);
export const other = dag("other", { params: z.object({ n: z.number() }) }, ({ params }) => {
  open().before(empty("never")());
  work({ n: params.n });
});
`;

let standalone: Standalone;
beforeEach(async () => {
  standalone = await startStandalone({ "operators.ts": DAGS });
}, 120_000);
afterEach(() => standalone.stop());

it("decides, commands, waits, is answered, and tells", async () => {
  const { rest, address } = standalone;
  await waitForDag(rest, "operators");
  const runId = await triggerRun(rest, "operators", { url: `${address}/api/v2/version` });
  const base = `/api/v2/dags/operators/dagRuns/${encodeURIComponent(runId)}`;
  const stateOf = async (id: string) =>
    (await listTasks(rest, "operators", runId)).find(({ task_id }) => task_id === id)?.state;
  await pollUntil(
    () => stateOf("ask"),
    (state) => state === "deferred",
    String,
    30_000,
  );
  await pollUntil(
    () => rest.get(`${base}/taskInstances/ask/explain`, explanationAnswer),
    ({ sentence }) => sentence.includes('"Ship it?" with "ship" or "hold"'),
    ({ sentence }) => sentence,
    30_000,
  );
  await rest.post(`${base}/taskInstances/order/event`, { payload: { id: "a1" } }, taskInstanceAnswer);
  const answered = await fetch(`${address}${base}/taskInstances/ask/-1/hitlDetails`, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ chosen_options: ["ship"] }),
  });
  expect(answered.status).toBe(200);
  const { run, tasks } = await waitForRun(rest, "operators", runId);
  expect(Object.fromEntries(tasks.map(({ task_id, state }) => [task_id, state]))).toEqual({
    say: "success",
    pick: "success",
    wrong: "skipped",
    pause: "success",
    call: "success",
    look: "success",
    order: "success",
    ask: "success",
    report: "success",
    fails: "failed",
    tidy: "success",
  });
  expect(run.state).toBe("success");
  const log = await readLog(rest, "operators", runId, "say", 1);
  expect(log.split("\n").toSorted()).toEqual(["hello there; exit 3", "last", "oops"]);
  expect(await readLog(rest, "operators", runId, "tidy", 1)).toBe("begin\ntidying\ndone\nend");
  const result = await rest.get(`${base}/taskInstances/report/xcomEntries/return_value`, resultAnswer);
  expect(result.value).toBe("a1 ship true");
  const told = await pollUntil(
    () => rest.get(`${base}/callbacks`, callbacksAnswer),
    ({ callbacks }) => callbacks.length === 2 && callbacks.every(({ state }) => state !== "pending"),
    (answer) => JSON.stringify(answer),
    60_000,
  );
  expect(told.callbacks.map(({ task_id, event, state }) => [task_id, event, state])).toEqual([
    ["fails", "failure", "success"],
    [null, "success", "success"],
  ]);
}, 180_000);
