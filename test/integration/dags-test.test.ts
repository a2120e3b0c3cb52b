// `windlass dags test` as a process: what it prints where, and how it ends.

import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

const WINDLASS = join(import.meta.dirname, "..", "..", "bin", "windlass");

const DAG = `
import { dag, skip, task } from "windlass";
import * as z from "zod";
const noisy = task("noisy", { retries: 1 }, ({ fail }: { fail: boolean }, { try_number }) => {
  console.log("said by the task");
  process.stdout.write("written by the task");
  if (fail || try_number === 1) throw new Error("boom");
  return "quiet";
});
const after = task("after", ({ text }: { text: string }) => {
  throw skip(text);
});
export default dag("sample", { params: z.object({ fail: z.boolean().default(false) }) }, ({ params }) => {
  after({ text: noisy({ fail: params.fail }) });
});
`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "windlass-dags-test-"));
  await writeFile(join(folder, "sample.ts"), DAG);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const test = (file: string, ...args: string[]) =>
  spawnSync(WINDLASS, ["dags", "test", join(folder, file), ...args], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"] },
  });

it("gives tasks the variables and connections of --secrets, and names those that it lacks", async () => {
  const reads = `import { bash, dag, sensor, task } from "windlass";
    const reads = task("reads", { variables: ["bucket"], connections: ["db"] }, (_, { variables, connections }) => {
      if (variables.bucket !== "reports" || connections.db.password !== "hunter22") throw new Error("wrong");
    });
    const look = sensor("look", { connections: ["db"] }, (_, { connections }) => connections.db.password === "hunter22");
    const say = bash("say", { command: '[ "$KEY" = hunter22 ]', connections: ["db"], env: ({ connections }) => ({ KEY: connections.db.password }) });
    export default dag("reader", {}, () => void [reads(), look(), say()]);`;
  await writeFile(join(folder, "reader.ts"), reads);
  const file = join(folder, "secrets.json");
  const db = { password: "hunter22" };
  await writeFile(file, JSON.stringify({ variables: { bucket: "reports" }, connections: { db } }));
  expect(test("reader.ts", "--secrets", file)).toMatchObject({ status: 0 });
  const without = test("reader.ts");
  expect(without.status).toBe(1);
  expect(without.stdout).toContain('there is no variable "bucket"');
  const refusals = [
    [{ connections: { db: { port: "x" } } }, "at connections.db.port"],
    [{ connections: { db: { hots: "x" } } }, 'Unrecognized key: "hots"'],
  ] as const;
  for (const [secrets, said] of refusals) {
    await writeFile(file, JSON.stringify(secrets));
    const wrong = test("reader.ts", "--secrets", file);
    expect(wrong.status).toBe(2);
    expect(wrong.stderr).toContain("secrets.json");
    expect(wrong.stderr).toContain(said);
  }
}, 60_000);

it("shows nothing of what --secrets gave, neither of what tasks print nor of how they end", async () => {
  const reads = `import { bash, callback, dag, sensor, task } from "windlass";
    const tell = callback({ variables: ["token"] }, (_, { variables: { token } }) => { throw new Error("told with " + token); });
    const fails = task("fails", { variables: ["token"], onFailure: tell }, (_, { variables: { token } }) => {
      console.log("with " + token); process.stderr.write(token.slice(0, 5)); console.error(token.slice(5));
      throw new Error("refused " + token);
    });
    const look = sensor("look", { variables: ["token"] }, (_, { variables: { token } }) => { throw new Error("poked with " + token); });
    const say = bash("say", { command: 'echo "said $KEY"', variables: ["token"], env: ({ variables }) => ({ KEY: variables.token }) });
    export default dag("teller", {}, () => void [fails(), look(), say()]);`;
  await writeFile(join(folder, "teller.ts"), reads);
  const file = join(folder, "secrets.json");
  await writeFile(file, JSON.stringify({ variables: { token: "hunter22-of-the-shop" } }));
  for (const output of ["text", "json"]) {
    const { stdout, stderr, status } = test("teller.ts", "--secrets", file, "--output", output);
    expect(status).toBe(1);
    for (const what of ["refused", "poked with", "told with"]) expect(stdout).toContain(`${what} ***`);
    expect(stderr.split("\n").toSorted()).toEqual(["", "***", "said ***", "with ***"]);
    expect(`${stdout}${stderr}`).not.toContain("hunter22");
  }
  await writeFile(file, '{"variables": {"token": hunter22}}');
  const broken = test("teller.ts", "--secrets", file);
  expect([broken.status, broken.stderr]).toEqual([2, expect.stringMatching(/secrets\.json: is not JSON/)]);
  expect(broken.stderr).not.toContain("hunter22");
});

it("prints the run as JSON and nothing else, and ends with 0", () => {
  const { status, stdout, stderr } = test("sample.ts", "--output", "json");
  expect(JSON.parse(stdout)).toEqual({
    state: "success",
    reason: null,
    callbacks: [],
    tasks: [
      { task_id: "noisy", map_index: -1, state: "success", try_number: 2, error: null },
      { task_id: "after", map_index: -1, state: "skipped", try_number: 1, error: "quiet" },
    ],
  });
  expect(stderr).toContain("said by the task");
  expect(status).toBe(0);
});

it("ends with 1 when the run fails, with the place in the author's file", () => {
  const { status, stdout } = test("sample.ts", "--params", '{"fail":true}', "--output", "json");
  expect(JSON.parse(stdout)).toMatchObject({
    state: "failed",
    reason: "failed because of after",
    tasks: [
      { task_id: "noisy", state: "failed", try_number: 2, error: expect.stringContaining("sample.ts:7:") },
      { task_id: "after", state: "upstream_failed", try_number: 0 },
    ],
  });
  expect(status).toBe(1);
});

it("ends with 2 and one clear line on wrong usage", async () => {
  await writeFile(join(folder, "broken.ts"), "const x: = 3;");
  await writeFile(join(folder, "empty.ts"), "export const x = 3;");
  await writeFile(join(folder, "reads.ts"), 'import "windlass";\nrequire("node:fs").readFileSync("/etc/hostname");');
  await writeFile(join(folder, "operators.ts"), OPERATORS);
  const cases: [string[], RegExp][] = [
    [["sample.ts", "--params", "fail"], /--params is not JSON/],
    [["sample.ts", "--params", '{"fail":"yes"}'], /conf\.fail: must be boolean/],
    [["sample.ts", "--params", '{"fial":true}'], /conf\.fial: there is no such param/],
    [["sample.ts", "--dag", "other"], /has no DAG "other", but sample/],
    [["sample.ts", "--output", "xml"], /--output is "xml": use text or json/],
    [["absent.ts"], /there is no file .*absent\.ts/],
    [["broken.ts"], /broken\.ts:1:\d+: Unexpected "="/],
    [["empty.ts"], /exports no DAG/],
    [[""], /is a folder; name one DAG file/],
    [["reads.ts"], /reads\.ts:2:\d+: Error: files, the network and other processes are out of reach while/],
    [["sample.ts", "--answer", "ask=ship"], /an answer is given for "ask"; tasks that wait for one: none/],
    [["operators.ts", "--answer", "ask=no"], /nobody can answer "no" to task "ask": choose one of ship, hold/],
    [["operators.ts", "--event", "show={}"], /an event is given for "show"; tasks that wait for one: order/],
    [["operators.ts", "--event", "order={"], /--event order is not JSON/],
    [["operators.ts", "--event", "order=3"], /--event order is 3; give an object/],
    [["operators.ts", "--event", 'order={"id":1}'], /the schema of task "order": payload\.id: must be string/],
    [["sample.ts", "--secrets", "absent.json"], /--secrets absent\.json: ENOENT/],
  ];
  for (const [[file = "", ...args], line] of cases) {
    const { status, stdout, stderr } = test(file, ...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr.trim()).toMatch(line);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  }
}, 60_000);

it("calls the callbacks that fall due, and shows what they throw in the author's file", async () => {
  const tells = `import { callback, dag, task } from "windlass";
    const tell = callback({ variables: ["key"] }, ({ event, task_id, reason }, { variables }) => console.log("told", event, task_id, reason, variables.key));
    const late = () => {
      throw new Error("no pager");
    };
    const load = task("load", { retries: 1, retryDelay: "2h", onRetry: tell }, (_: {}, { try_number }) => {
      if (try_number === 1) throw "boom";
    });
    export default dag("tells", { onSuccess: tell, deadline: { after: "1h", callback: late } }, () => void load());`;
  await writeFile(join(folder, "tells.ts"), tells);
  await writeFile(join(folder, "secrets.json"), '{"variables": {"key": "k1"}}');
  const secrets = ["--secrets", join(folder, "secrets.json")];
  const { status, stdout, stderr } = test("tells.ts", ...secrets);
  expect(status).toBe(0);
  expect(stderr).toMatch(/told retry load try 2 of 2 follows in 7200 s: .*boom/);
  expect(stderr).toContain("told success null null k1");
  expect(stdout).toContain("✓ load: its callback on retry was called");
  expect(stdout).toMatch(/✗ the run: its callback on deadline failed\n {4}Error: no pager\n.*tells\.ts:4:/);
  expect(stdout).toContain("✓ the run: its callback on success was called");
  const quiet = test("tells.ts", "--no-callbacks");
  expect(quiet.stderr).not.toContain("told");
  expect(quiet.stdout).toContain("· load: its callback on retry is due, and not called");
  expect(JSON.parse(test("tells.ts", "--output", "json").stdout)).toMatchObject({
    callbacks: [
      {
        event: "retry",
        task_id: "load",
        try_number: 1,
        called_at: 0,
        error: expect.stringContaining('no variable "key"'),
      },
      { event: "deadline", task_id: null, called_at: 3_600, error: expect.stringContaining("no pager") },
      { event: "success", called_at: 7_200 },
    ],
  });
}, 60_000);

const OPERATORS = `
import { approval, bash, branch, dag, empty, sensor, shortCircuit, task, triggerDag, waitFor, waitForEvent } from "windlass";
import * as z from "zod";
const say = bash("say", { command: 'echo "said $WORD"; echo oops >&2' });
const pick = branch("pick", ({ said }: { said: string | null }) => (said === "said big" ? "big" : "small"));
const gate = shortCircuit("gate", ({ open }: { open: boolean }) => open);
let pokes = 0;
const look = sensor("look", { every: "1s" }, () => (++pokes < 2 ? false : { done: true, value: pokes }));
const order = waitForEvent("order", { schema: z.object({ id: z.string() }) });
const ask = approval("ask", { options: ["ship", "hold"], rejects: ["hold"] });
const show = task("show", ({ id, option, pokes }: { id: string; option: string; pokes: number }) => console.log(id, option, pokes));
export default dag("operators", { params: z.object({ open: z.boolean().default(true) }) }, ({ params }) => {
  const pause = waitFor("pause", "2h")();
  const chosen = pick({ said: say({ env: { WORD: "big" } }) });
  const small = empty("small")();
  chosen.to({ big: pause, small });
  pause.before(triggerDag("call", { dagId: "other", wait: true })());
  const open = gate({ open: params.open });
  const asked = ask();
  open.before(asked);
  show({ id: order().get("id"), option: asked.get("option"), pokes: look() });
});
`;

it("runs branches, commands and waits, with what comes from outside from the command line", async () => {
  await writeFile(join(folder, "operators.ts"), OPERATORS);
  const statesOf = (...args: string[]) => {
    const { status, stdout, stderr } = test("operators.ts", "--output", "json", ...args);
    const run = JSON.parse(stdout) as { tasks: { task_id: string; state: string }[] };
    return { status, stderr, states: Object.fromEntries(run.tasks.map(({ task_id, state }) => [task_id, state])) };
  };
  const all = statesOf("--event", `order={"id":"a1"}`);
  expect(all).toMatchObject({
    status: 0,
    states: { small: "skipped", pause: "success", call: "success", show: "success" },
  });
  expect(all.stderr).toContain("a1 ship 2");
  expect(all.stderr).toContain("said big");
  expect(statesOf("--event", `order={"id":"a1"}`, "--answer", "ask=hold").states).toMatchObject({
    ask: "skipped",
    show: "skipped",
  });
  const shut = statesOf("--params", `{"open":false}`);
  expect(shut.states).toMatchObject({ gate: "success", ask: "skipped", order: "failed" });
  const text = test("operators.ts", "--event", `order={"id":"a1"}`).stdout;
  expect(text).toContain("skipped forward");
  expect(text).toContain('"ask" is answered "ship"; answer it by --answer ask=');
  expect(test("operators.ts", "--answer", "ask").stderr).toContain('--answer "ask" names no task');
}, 60_000);
