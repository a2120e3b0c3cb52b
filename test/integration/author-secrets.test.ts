// What sensors and callbacks are given in confidence, on a real database and in their real sealed children: exactly what they
// declare, and nothing of it is left behind anywhere.

import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { TaskDefinition } from "../../src/core/definition.ts";
import { createCallbackCalls } from "../../src/scheduler/run-callbacks.ts";
import { listRunCallbacks } from "../../src/store/callbacks.ts";
import { writeConnection } from "../../src/store/connections.ts";
import { createSealer } from "../../src/store/sealing.ts";
import { writeVariable } from "../../src/store/variables.ts";
import { contextOf, lookThrough, saveCode, SEALER } from "../support/deferred-looks.ts";
import { dagOf, openStoreBundle, type StoreBundle, taskOf } from "../support/store-bundle.ts";

const TOKEN = "tok-hunter22-of-the-shop";
const PASSWORD = "pass-swordfish-of-the-lake";

let store: StoreBundle;
let server: Server | null = null;
beforeEach(async () => {
  store = await openStoreBundle();
  const add = (key: string, value: string, is_secret: boolean) =>
    writeVariable(store.db, SEALER, { key, value, is_secret, description: null }, "create", store.now());
  await add("token", TOKEN, true);
  await add("bucket", "reports", false);
  await add("withheld", "withheld-value", true);
  const place = { conn_type: "http", host: "lake", port: 443, login: "me", schema: null, description: null };
  const lake = { ...place, connection_id: "lake", password: PASSWORD, extra: { key: "extra-key-of-the-lake" } };
  await writeConnection(store.db, SEALER, lake, "create", store.now());
});
afterEach(async () => {
  server?.close();
  server = null;
  await store.close();
});

const sensor = (id: string, more: Partial<TaskDefinition> = {}) =>
  taskOf(id, [], {
    kind: "wait",
    operator: { type: "sensor", every: 30, backoff: false, timeout: null, soft_fail: false },
    inputs: {},
    ...more,
  });

async function instance(taskId: string) {
  const { rows } = await store.db.query({
    text: `select t.state, t.reason, t.try_number, r.value from task_instance t
      left join task_result r on r.task_instance_id = t.id where t.task_id = $1`,
    values: [taskId],
  });
  return rows[0] ?? {};
}

/** All that Postgres holds, as text. */
async function dump(): Promise<string> {
  const { rows } = await store.db.query<{ name: string }>({
    text: "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'public'",
  });
  const texts = rows.map(async ({ name }) => {
    const { rows: found } = await store.db.query<{ text: string | null }>({
      text: `select string_agg(t::text, ' ') as text from ${name} t`,
    });
    return found[0]?.text ?? "";
  });
  return (await Promise.all(texts)).join("\n");
}

/** Arguments and environments of all processes that may be read. */
async function readProcesses(): Promise<{ count: number; text: string }> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const read = (pid: string, file: string) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
  const texts = await Promise.all(pids.flatMap((pid) => [read(pid, "cmdline"), read(pid, "environ")]));
  return { count: pids.length, text: texts.join("\n") };
}

async function callThrough(context = contextOf(store)): Promise<void> {
  const calls = createCallbackCalls(context, () => {});
  await calls.runOnce();
  await calls.finish();
}

it("give a sensor what it declares and nothing else, by stdin alone", async () => {
  const seen: { header: string | undefined; processes: { count: number; text: string } }[] = [];
  server = createServer((request, response) => {
    // The child is alive and holds them while this is read.
    void readProcesses().then((processes) => {
      seen.push({ header: request.headers.authorization, processes });
      response.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
  const look = `async (_, { variables, connections, signal }) => {
    const authorization = variables.token + " " + connections.lake.password + " " + connections.lake.extra.key;
    await fetch(${JSON.stringify(url)}, { headers: { authorization }, signal });
    return { done: true, value: { variables: Object.keys(variables).toSorted(), connections: Object.keys(connections), bucket: variables.bucket } };
  }`;
  await saveCode(store, dagOf("d", [sensor("look", { variables: ["token", "bucket"], connections: ["lake"] })]), {
    functions: { look },
  });
  await store.trigger("d");
  await lookThrough(store);
  expect(seen.map(({ header }) => header)).toEqual([`${TOKEN} ${PASSWORD} extra-key-of-the-lake`]);
  expect(seen[0]?.processes.count).toBeGreaterThan(2);
  for (const secret of [TOKEN, PASSWORD]) {
    expect(seen[0]?.processes.text.includes(secret)).toBe(false);
    expect(await dump()).not.toContain(secret);
  }
  expect((await instance("look"))["value"]).toEqual({
    variables: ["bucket", "token"],
    connections: ["lake"],
    bucket: "reports",
  });
});

it.each<[string, string, string]>([
  ["throws", `throw new RangeError("refused " + variables.token + "\\n" + variables.token)`, "RangeError: refused ***"],
  ["names its error so", `throw Object.assign(new Error("x"), { name: variables.token })`, "***: x"],
  [
    "skips",
    `throw Object.assign(new Error("no " + variables.token), { [Symbol.for("windlass.skip")]: true })`,
    "no ***",
  ],
  ["is cut off in the middle of it", `throw new Error("x".repeat(4_090) + variables.token)`, "x***"],
  ["returns it", `return "x" + variables.token`, "its function returned a value of type string; return a boolean"],
  [
    "answers with it in our place",
    `require("fs").writeSync(3, variables.token); process.kill(0)`,
    "something else than a result",
  ],
])("a sensor that %s shows nothing of it", async (_what, body, shown) => {
  await saveCode(store, dagOf("d", [sensor("look", { variables: ["token"] })]), {
    functions: { look: `(_, { variables }) => { ${body} }` },
  });
  await store.trigger("d");
  await lookThrough(store);
  const { reason } = await instance("look");
  expect(reason).toContain(shown);
  expect(await dump()).not.toContain(TOKEN.slice(0, 6));
});

it("fail a sensor that lacks one, without a retry, and say how to make it", async () => {
  const lacks = { variables: ["token", "nowhere"], retries: 3 };
  await saveCode(store, dagOf("d", [sensor("look", lacks), sensor("other", { connections: ["sea"] })]), {
    functions: { look: "() => true", other: "() => true" },
  });
  await store.trigger("d");
  await lookThrough(store);
  expect(await instance("look")).toMatchObject({
    state: "failed",
    try_number: 1,
    reason: 'MissingSecret: there is no variable "nowhere"; create it with: windlass variables set nowhere',
  });
  expect((await instance("other"))["reason"]).toContain('there is no connection "sea"');
});

it("keep a sensor waiting, with the reason, while the scheduler lacks the key", async () => {
  await saveCode(store, dagOf("d", [sensor("look", { variables: ["token"] }), sensor("plain")]), {
    functions: { look: "() => true", plain: "() => true" },
  });
  await store.trigger("d");
  await lookThrough(store, { ...contextOf(store), sealer: createSealer([]) });
  expect(await instance("plain")).toMatchObject({ state: "success" });
  expect(await instance("look")).toMatchObject({
    state: "deferred",
    try_number: 1,
    reason: expect.stringMatching(/could not be poked \(variable\/token was sealed .*WINDLASS_ENCRYPTION_KEYS/),
  });
  store.pass(30);
  await lookThrough(store);
  expect(await instance("look")).toMatchObject({ state: "success", try_number: 1 });
});

it("give callbacks, of tasks and of runs, what each of them declares", async () => {
  const told = `(_, { variables, connections }) => {
    throw new Error([...Object.keys(variables), ...Object.keys(connections), variables.token, connections.lake?.password].join(" "));
  }`;
  const task = taskOf("a", [], {
    variables: ["withheld"],
    callbacks: ["success", "skip"],
    callback_secrets: { success: { variables: ["token"] }, skip: { connections: ["lake"] } },
  });
  const definition = dagOf("d", [task], {
    callbacks: ["success"],
    callback_secrets: { success: { connections: ["lake"] } },
  });
  await saveCode(store, definition, { callbacks: { "a:success": told, ":success": told } });
  const run = await store.trigger("d");
  await store.workThrough();
  const list = async () =>
    (await listRunCallbacks(store.db, "d", run.dag_run_id)).map(({ task_id, error, tries }) => [
      task_id,
      error?.split("\n", 1)[0],
      tries,
    ]);
  await callThrough({ ...contextOf(store), sealer: createSealer([]) });
  expect(await list()).toEqual([
    ["a", expect.stringContaining("variable/token was sealed with key"), 1],
    [null, expect.stringContaining("connection/lake was sealed with key"), 1],
  ]);
  store.pass(10);
  await callThrough();
  expect(await list()).toEqual([
    ["a", "Error: token *** ", 2],
    [null, "Error: lake  ***", 2],
  ]);
  await store.db.query({ text: "delete from variable" });
  store.pass(40);
  await callThrough();
  expect((await list())[0]?.[1]).toContain('there is no variable "token"');
  for (const secret of [TOKEN, PASSWORD]) expect(await dump()).not.toContain(secret);
});
