// Tasks whose images know nothing of Windlass, on a real cluster: how they end, what they say, and what is left of them in
// the API once their pods are gone. The project's image stands for any image: it has node and no python.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultAnswer, type TaskInstanceAnswer, triesAnswer } from "../../src/contract/rest-task-instances.ts";
import { call, createNamespace } from "../support/api-server.ts";
import { podCall } from "../../src/kubernetes/pods.ts";
import { mustRun } from "../support/command.ts";
import { writeKubeconfig } from "./support/limited-user.ts";
import { deleteNamespace, waitForNoPods } from "./support/pods.ts";
import { pollUntil } from "./support/poll.ts";
import { startWindlass, type Windlass } from "./support/windlass.ts";

const SAMPLE = new URL("../../examples/kubernetes_sample.ts", import.meta.url);

/** The other ends, and a function task downstream of a container. */
const DAG = `
import { dag, kubernetesPod, task } from "windlass";
import * as z from "zod";

const run = <R>(id: string, script: string, more: { skipOnExitCodes?: number[]; retries?: number; executionTimeout?: number; result?: string } = {}) =>
  kubernetesPod<R>(id, { image: "IMAGE", cmds: ["node", "-e", script], retryDelay: 0, ...more });

const transform = run<{ doubled: number; secrets: string[]; args: string[] }>("transform", \`
  const secrets = Object.keys(process.env).filter((name) => name.startsWith("WINDLASS"));
  require("fs").writeFileSync("/tmp/own", "writable");
  require("fs").writeFileSync("/dev/termination-log", JSON.stringify({ doubled: 2 * process.env.N, secrets, args: process.argv.slice(1) }));
\`);
const print = task("print", ({ value }: { value: number }) => console.log("the container said " + value));
const skips = run("skips", "console.log('no file today'); process.exit(99)", { skipOnExitCodes: [99] });
const exits = run("exits", "console.log('out'); console.error('no such table'); process.exit(3)", { retries: 1 });
const sleeps = run("sleeps", "setTimeout(() => {}, 120000)", { executionTimeout: 2 });
const files = run("files", \`
  console.log("early");
  setTimeout(() => {
    const secrets = Object.keys(process.env).filter((name) => name.startsWith("WINDLASS"));
    require("fs").writeFileSync("/windlass/result.json", JSON.stringify({ text: "x".repeat(100000), secrets }));
    console.log("late");
  }, 6000);
\`, { result: "/windlass/result.json" });
const broken = run("broken", "require('fs').writeFileSync('/out/r.json', 'rows: 3')", { result: "/out/r.json" });
const pulls = kubernetesPod("pulls", { image: "localhost/there-is-no:such-image" });
const far = kubernetesPod<{ at: string }>("far", {
  image: "IMAGE",
  cmds: ["node", "-e", "console.log('far away'); require('fs').writeFileSync('/dev/termination-log', '{\\"at\\":\\"far\\"}')"],
  cluster: "far",
});
const brings = kubernetesPod<string>("brings", {
  image: "IMAGE",
  cmds: ["node", "-e", "require('fs').writeFileSync('/out/r.json', JSON.stringify(process.env.AT))"],
  result: "/out/r.json",
  cluster: "far",
});

export default dag("containers", { params: z.object({ n: z.number() }) }, ({ params }) => {
  const made = transform({ env: { N: params.n }, arguments: ["--", "-n", params.n, "$(N)"] });
  print({ value: made.get("doubled") });
  skips();
  exits();
  sleeps();
  files();
  broken();
  pulls();
  brings({ env: { AT: far().get("at") } });
});
`;

/** Its pod stays, so that what was kept of its log can be held against what the node has. */
const CHATTY = `
import { dag, kubernetesPod } from "windlass";

const chatty = kubernetesPod("chatty", {
  image: "IMAGE",
  cmds: ["node", "-e", "for (let n = 0; n < 12000; n += 1) console.log('line ' + n)"],
  pods: { keep: "always" },
});

export default dag("chatty", {}, () => void chatty());
`;

/** Another cluster, which is the same one in another namespace, by the account and the Role of docs/kubernetes-pod.md. */
async function nameFarCluster(): Promise<string> {
  farNamespace = await createNamespace(windlass.kubernetes);
  const page = await readFile(new URL("../../docs/kubernetes-pod.md", import.meta.url), "utf8");
  const manifest = /```yaml\n(apiVersion: v1\nkind: ServiceAccount\n[\s\S]*?)```/.exec(page)?.[1] ?? "";
  const inPlace = manifest.replaceAll("namespace: ml", `namespace: ${farNamespace}`);
  await mustRun("kubectl", ["create", "--filename", "-"], inPlace);
  farUser = await writeKubeconfig(farNamespace, "windlass");
  const file = join(windlass.dagsFolder, ".clusters.yaml");
  const entry = { kubeconfig: farUser.kubeconfig, namespaces: [farNamespace], apiUrl: windlass.apiUrl };
  await writeFile(file, JSON.stringify({ far: entry }));
  return file;
}

let windlass: Windlass;
let farNamespace = "";
let farUser: Awaited<ReturnType<typeof writeKubeconfig>>;
beforeAll(async () => {
  windlass = await startWindlass({ env: { WINDLASS_IMAGE_TIMEOUT: "3", WINDLASS_INFRASTRUCTURE_RETRIES: "0" } });
  const sample = (await readFile(SAMPLE, "utf8"))
    .replace('"python:3.12-slim"', JSON.stringify(windlass.image))
    .replace(`["python", "-c", "print('hello world')"]`, `["node", "-e", "console.log('hello world')"]`)
    .replace('"ubuntu:24.04"', JSON.stringify(windlass.image))
    .replace('"*/10 * * * *"', "null");
  await writeFile(join(windlass.dagsFolder, "kubernetes_sample.ts"), sample);
  await writeFile(join(windlass.dagsFolder, "containers.ts"), DAG.replaceAll("IMAGE", windlass.image));
  await writeFile(join(windlass.dagsFolder, "chatty.ts"), CHATTY.replaceAll("IMAGE", windlass.image));
  await windlass.startScheduler({ WINDLASS_CLUSTERS: await nameFarCluster() });
  await windlass.waitForDag("kubernetes_sample");
  await windlass.waitForDag("containers");
  await windlass.waitForDag("chatty");
});
afterAll(async () => {
  farUser?.remove();
  await deleteNamespace(windlass.kubernetes, farNamespace);
  await windlass?.stop();
});

async function run(dagId: string, conf: Record<string, unknown>) {
  const runId = await windlass.trigger(dagId, conf);
  const { run: ended, tasks } = await windlass.waitForRun(dagId, runId);
  await windlass.waitForNoPods();
  const path = `/api/v2/dags/${dagId}/dagRuns/${encodeURIComponent(runId)}/taskInstances`;
  const attempt = async (taskId: string) => {
    const { task_instances } = await windlass.rest.get(`${path}/${taskId}/tries`, triesAnswer);
    return task_instances.at(-1)?.attempts.at(-1);
  };
  const byId = new Map(tasks.map((task) => [task.task_id, task]));
  for (const { task_id, state, reason } of tasks) process.stdout.write(`${task_id}: ${state}: ${reason}\n`);
  return {
    state: ended.state,
    task: (taskId: string): TaskInstanceAnswer => {
      const task = byId.get(taskId);
      if (!task) throw new Error(`no task ${taskId}`);
      return task;
    },
    attempt,
    outcome: async (taskId: string) => (await attempt(taskId))?.outcome,
    log: (taskId: string, tryNumber = 1) => windlass.readLog(dagId, runId, taskId, tryNumber),
    result: async (taskId: string) =>
      (await windlass.rest.get(`${path}/${taskId}/xcomEntries/return_value`, resultAnswer)).value,
  };
}

it("runs the sample: one container passes, the other fails for want of its program", async () => {
  const { state, task, outcome, log } = await run("kubernetes_sample", {});
  expect(state).toBe("failed");
  expect(task("run_this_first").state).toBe("success");
  expect(task("passing-task")).toMatchObject({ state: "success", start_date: expect.any(String) });
  expect(await outcome("passing-task")).toMatchObject({ kind: "success", exit_code: 0 });
  expect(await log("passing-task")).toBe("hello world\nThe container exited with code 0");
  expect(task("failing-task").state).toBe("failed");
  expect(await outcome("failing-task")).toMatchObject({
    kind: "configuration_error",
    reason: expect.stringMatching(/"python": executable file not found/),
  });
  expect(await log("failing-task")).toMatch(/"python": executable file not found/);
});

it("carries data in and out, and tells every end apart", async () => {
  const { task, attempt, outcome, log, result } = await run("containers", { n: 21 });
  expect(task("transform").state).toBe("success");
  // What the author wrote as $(N) is Kubernetes' reference to a variable; the container has none of ours.
  expect(await result("transform")).toEqual({ doubled: 42, secrets: [], args: ["-n", "21", "21"] });
  expect(await log("print")).toContain("the container said 42");

  expect(task("skips")).toMatchObject({ state: "skipped", reason: expect.stringContaining("code 99") });
  expect(await log("skips")).toContain("no file today");

  expect(task("exits")).toMatchObject({ state: "failed", try_number: 2 });
  expect(await outcome("exits")).toMatchObject({
    kind: "task_failed",
    exit_code: 3,
    reason: expect.stringContaining("no such table"),
  });
  for (const tryNumber of [1, 2]) {
    // The two streams reach the node's log in no certain order.
    const lines = (await log("exits", tryNumber)).split("\n");
    expect(lines.slice(0, -1).toSorted()).toEqual(["no such table", "out"]);
    expect(lines.at(-1)).toMatch(/code 3/);
  }

  expect(task("files").state).toBe("success");
  expect(await result("files")).toEqual({ text: "x".repeat(100_000), secrets: [] });
  expect(await log("files")).toBe("early\nlate\nThe container exited with code 0");
  expect(task("broken")).toMatchObject({ state: "failed", reason: expect.stringContaining("is not JSON") });

  expect(await outcome("sleeps")).toMatchObject({ kind: "timed_out" });
  expect(await outcome("pulls")).toMatchObject({
    kind: "image_error",
    reason: expect.stringContaining("there-is-no:such-image"),
  });
  expect(await log("pulls")).toContain("there-is-no:such-image");

  expect(await attempt("far")).toMatchObject({ executor: "kubernetes", cluster: "far", namespace: farNamespace });
  expect(await log("far")).toBe("far away\nThe container exited with code 0");
  expect(await result("brings")).toBe("far");
  expect(await attempt("print")).toMatchObject({ cluster: null, namespace: windlass.namespace });
  await waitForNoPods(windlass.kubernetes, farNamespace);
});

it("keeps every line that the node has, of a container that writes more than its pipe holds and ends", async () => {
  const runId = await windlass.trigger("chatty");
  await windlass.waitForRun("chatty", runId);
  const pod = podCall("get", windlass.namespace, undefined, (await windlass.listPods())[0]?.name);
  // The node's own log is the measure: containerd 1.6 drops what is left in the pipe two seconds after the end, which happens
  // on a busy machine (https://github.com/containerd/containerd/pull/12364).
  const inPod = await windlass.kubernetes.text({ ...pod, method: "GET", path: `${pod.path}/log` });
  const written = inPod.replace(/\n$/, "").split("\n");
  expect(written.length).toBeGreaterThan(1_000);
  expect(written.slice(0, -1)).toEqual(Array.from({ length: written.length - 1 }, (_, index) => `line ${index}`));
  const kept = await pollUntil(
    async () => (await windlass.readLog("chatty", runId, "chatty", 1)).split("\n"),
    (lines) => lines.at(-1) === "The container exited with code 0",
    (lines) => `the log ends with ${lines.at(-1)}`,
    30_000,
  );
  expect(kept.slice(0, -1)).toEqual(written);
  await call(windlass.kubernetes, "DELETE", pod.path);
  await windlass.waitForNoPods();
});
