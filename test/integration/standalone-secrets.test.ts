// Variables and connections wherever author code runs, in the product as a user has it: `bin/windlass standalone` with the
// local executor. What is secret reaches the code, and shows nowhere that a user may look.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { afterEach, beforeEach, expect, it } from "vitest";
import { explanationAnswer } from "../../src/contract/rest-explain.ts";
import { resultAnswer } from "../../src/contract/rest-task-instances.ts";
import { connectionAnswer, variableAnswer } from "../../src/contract/rest-variables.ts";
import { callbacksAnswer } from "../../src/contract/rest-waits.ts";
import { pollUntil } from "../cluster/support/poll.ts";
import { readLog, triggerRun, waitForDag, waitForRun } from "../cluster/support/runs.ts";
import { type Standalone, startStandalone } from "../support/standalone.ts";

const TOKEN = "tok-hunter22-of-the-shop";
const PASSWORD = "pass-swordfish-of-the-chat";

const DAGS = `
import { bash, branch, callback, dag, empty, sensor, shortCircuit, task } from "windlass";

const declared = { variables: ["token"], connections: ["chat"] } as const;
const isRight = (token: string, password: string | null) => token.startsWith("tok-") && password?.startsWith("pass-") === true;
const tell = callback(declared, async ({ task_id }, { variables, connections }) => {
  await fetch(connections.chat.host ?? "", { method: "POST", body: \`\${task_id} \${variables.token} \${connections.chat.password}\` });
  throw new Error(\`told with \${connections.chat.password}\`);
});
const pick = branch("pick", declared, (_, { variables, connections }) => {
  console.log("picking with", variables.token);
  return isRight(variables.token, connections.chat.password) ? "right" : "wrong";
});
const open = shortCircuit("open", declared, ({ n }: { n: number }, { variables, connections }) => {
  return n > 0 && isRight(variables.token, connections.chat.password);
});
const say = bash("say", {
  ...declared,
  command: 'echo "$LINE $TOKEN"',
  env: ({ variables, connections }) => ({ TOKEN: variables.token, CHAT: connections.chat.password }),
});
const look = sensor("look", { ...declared, every: "1s" }, async ({ n }: { n: number }, { variables, connections, signal }) => {
  const headers = { authorization: \`\${variables.token} \${connections.chat.password}\` };
  return { done: (await fetch(connections.chat.host ?? "", { headers, signal })).ok as true, value: n };
});
const leaks = sensor("leaks", { ...declared, onFailure: tell }, (_, { variables }) => {
  throw new Error(\`the shop refuses \${variables.token}\`);
});
const dies = task("dies", declared, async (_, { variables }) => {
  console.error("dying with", variables.token);
  process.kill(process.pid, "SIGKILL");
  await new Promise(() => {});
});
const lacks = sensor("lacks", { variables: ["nowhere"], retries: 2 }, () => true);

export default dag("secrets", { onFailure: tell }, () => {
  const right = say.map({ env: [{ LINE: "one" }, { LINE: "two" }] });
  pick().to({ right, wrong: empty("wrong")() });
  const opened = open({ n: 1 });
  look.map({ n: [1, 2] }).after(opened);
  leaks();
  lacks();
  dies();
});
`;

let standalone: Standalone;
let server: Server;
let heard: string[];
let chat: string;
beforeEach(async () => {
  heard = [];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      heard.push(`${request.method} ${request.headers.authorization ?? Buffer.concat(chunks).toString()}`);
      response.end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  chat = `http://127.0.0.1:${typeof bound === "object" && bound ? bound.port : 0}`;
  standalone = await startStandalone({ "secrets.ts": DAGS });
}, 120_000);
afterEach(async () => {
  await standalone.stop();
  server.close();
});

it("reach branches, commands, sensors and callbacks, and show nowhere", async () => {
  const { rest, running } = standalone;
  await rest.post("/api/v2/variables", { key: "token", value: TOKEN }, variableAnswer);
  const connection = { connection_id: "chat", conn_type: "http", host: chat, password: PASSWORD };
  await rest.post("/api/v2/connections", connection, connectionAnswer);
  await waitForDag(rest, "secrets");
  const runId = await triggerRun(rest, "secrets");
  const base = `/api/v2/dags/secrets/dagRuns/${encodeURIComponent(runId)}`;
  const { run, tasks } = await waitForRun(rest, "secrets", runId);
  expect(run.state).toBe("failed");
  expect(tasks.map(({ task_id, state }) => `${task_id} ${state}`).toSorted()).toEqual([
    "dies failed",
    "lacks failed",
    "leaks failed",
    "look success",
    "look success",
    "open success",
    "pick success",
    "say success",
    "say success",
    "wrong skipped",
  ]);
  const told = await pollUntil(
    () => rest.get(`${base}/callbacks`, callbacksAnswer),
    ({ callbacks }) => callbacks.length === 2 && callbacks.every(({ error }) => error !== null),
    (answer) => JSON.stringify(answer),
    60_000,
  );
  expect(told.callbacks.map(({ error }) => error?.split("\n", 1)[0])).toEqual([
    "Error: told with ***",
    "Error: told with ***",
  ]);
  expect(new Set(heard)).toEqual(
    new Set([`GET ${TOKEN} ${PASSWORD}`, `POST leaks ${TOKEN} ${PASSWORD}`, `POST null ${TOKEN} ${PASSWORD}`]),
  );
  const explain = async (id: string) =>
    (await rest.get(`${base}/taskInstances/${id}/explain`, explanationAnswer)).sentence;
  expect(await explain("leaks")).toContain("the shop refuses ***");
  expect(await explain("dies")).toContain("its last words: dying with ***");
  expect(await readLog(rest, "secrets", runId, "dies", 1)).toContain("its last words: dying with ***");
  expect(await explain("lacks")).toContain('there is no variable "nowhere"; create it with: windlass variables set');
  expect(await readLog(rest, "secrets", runId, "pick", 1)).toBe("picking with ***");
  const said = await rest.get(`${base}/taskInstances/say/xcomEntries/return_value?map_index=1`, resultAnswer);
  expect(said.value).toBe("two ***");
  const shown = [JSON.stringify(tasks), JSON.stringify(told), running.log()].join("\n");
  for (const secret of [TOKEN, PASSWORD]) expect(shown).not.toContain(secret);
}, 180_000);
