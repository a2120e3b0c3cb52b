import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { z } from "zod";
import { startAnswer } from "../contract/execution.ts";
import { problem } from "../contract/rest.ts";
import { connectionAnswer, connectionsAnswer, variableAnswer, variablesAnswer } from "../contract/rest-variables.ts";
import type { JsonObject } from "../core/json.ts";
import { rotateKeys } from "../store/rotate-keys.ts";
import { createSealer } from "../store/sealing.ts";
import {
  type ApiFixture,
  makeDag,
  makeTask,
  openApiFixture,
  publishDag,
  queueAttempt,
  triggerRun,
} from "./api-fixture.ts";

const OLD_KEY = randomBytes(32).toString("base64");
const SECRET = "hunter22-of-the-warehouse";
let fixture: ApiFixture;

beforeAll(async () => {
  fixture = await openApiFixture({ sealer: createSealer([OLD_KEY]) });
});
afterAll(() => fixture.close());

const post = <Schema extends z.ZodType>(url: string, payload: JsonObject, schema: Schema, status = 201) =>
  fixture.call({ method: "POST", url: `/api/v2/${url}`, payload }, schema, status);
const patch = <Schema extends z.ZodType>(url: string, payload: JsonObject, schema: Schema, status = 200) =>
  fixture.call({ method: "PATCH", url: `/api/v2/${url}`, payload }, schema, status);
const remove = async (url: string) =>
  (await fixture.api.inject({ method: "DELETE", url: `/api/v2/${url}` })).statusCode;

async function readStored(): Promise<string> {
  const { rows } = await fixture.db.query<{ text: string }>({
    text: "select (select json_agg(v) from variable v)::text || (select json_agg(c) from connection c)::text as text",
  });
  return rows[0]?.text ?? "";
}

test("a secret variable is kept encrypted and never answered; a plain one is shown", async () => {
  const secret = await post("variables", { key: "token", value: SECRET, description: "of the shop" }, variableAnswer);
  expect(secret).toMatchObject({ value: null, is_secret: true, description: "of the shop" });
  const plain = await post("variables", { key: "bucket", value: "reports", is_secret: false }, variableAnswer);
  expect(plain.value).toBe("reports");
  await post("connections", { connection_id: "db", conn_type: "postgres", password: SECRET }, connectionAnswer);

  const listed = await fixture.get("/api/v2/variables?order_by=-key", variablesAnswer);
  expect(listed.variables.map(({ key, value }) => [key, value])).toEqual([
    ["token", null],
    ["bucket", "reports"],
  ]);
  expect(await readStored()).not.toContain(SECRET);
  expect(await readStored()).not.toContain("reports");
});

test("a patch changes what it names and keeps the rest", async () => {
  await post("variables", { key: "limit", value: "5", description: "rows" }, variableAnswer);
  expect(await patch("variables/limit", { value: "6", is_secret: false }, variableAnswer)).toMatchObject({
    value: "6",
    description: "rows",
  });
  expect(await patch("variables/limit", { description: null }, variableAnswer)).toMatchObject({ value: "6" });
  const made = { connection_id: "shop", conn_type: "http", host: "shop", password: SECRET, extra: { key: "abc" } };
  await post("connections", made, connectionAnswer);
  const changed = await patch("connections/shop", { port: 443, description: null }, connectionAnswer);
  expect(changed).toMatchObject({ host: "shop", port: 443, has_password: true, extra_keys: ["key"] });
  expect(JSON.stringify(changed)).not.toContain(SECRET);
});

test("what was set in confidence is not shown by making it plain", async () => {
  await post("variables", { key: "turncoat", value: SECRET }, variableAnswer);
  const refused = await patch("variables/turncoat", { is_secret: false }, problem, 400);
  expect(refused).toMatchObject({ code: "invalid_request", detail: expect.stringContaining('"turncoat" is secret') });
  expect(await fixture.get("/api/v2/variables/turncoat", variableAnswer)).toMatchObject({ value: null });
  const shown = await patch("variables/turncoat", { is_secret: false, value: "harmless" }, variableAnswer);
  expect(shown).toMatchObject({ value: "harmless" });
});

test("what is wrong with a request is said without what it holds", async () => {
  const headers = { "content-type": "application/json" };
  const send = async (payload: string) =>
    (await fixture.api.inject({ method: "POST", url: "/api/v2/variables", headers, payload })).body;
  const answers = await Promise.all([
    send(`{"key": "token", "value": ${SECRET}}`),
    send(`{"key": "token", "value": "${SECRET}`),
    send(`{"key": "token", "value": ["${SECRET}"]}`),
    send(`{"key": "token", "value": "${SECRET}", "is_secret": "${SECRET}"}`),
  ]);
  for (const answer of answers) expect(answer).toContain("invalid_request");
  expect(answers.join("\n")).not.toMatch(/hunter22|-of-the-w/);
});

test("what is there is not overwritten by a create, and what is not there is named", async () => {
  await post("variables", { key: "once", value: "1" }, variableAnswer);
  const twice = await post("variables", { key: "once", value: "2" }, problem, 409);
  expect(twice).toMatchObject({ code: "already_exists" });
  expect(await fixture.get("/api/v2/variables/nope", problem, 404)).toMatchObject({
    detail: 'there is no variable "nope"',
  });
  expect(await patch("connections/nope", { host: "x" }, problem, 404)).toMatchObject({ code: "not_found" });
  expect(await remove("variables/once")).toBe(204);
  expect(await remove("variables/once")).toBe(404);
  expect(await post("variables", { key: "a b", value: "" }, problem, 400)).toMatchObject({ code: "invalid_request" });
});

test("a task is given what it declares, and nothing else", async () => {
  await post("variables", { key: "given", value: "value-of-given" }, variableAnswer);
  const settings = '{"user":{"password":"in-the-json"},"port":5432}';
  await post("variables", { key: "settings", value: settings }, variableAnswer);
  await post("variables", { key: "shown", value: "value-of-shown", is_secret: false }, variableAnswer);
  await post("variables", { key: "withheld", value: "value-of-withheld" }, variableAnswer);
  const extra = { token: "token-in-extra", region: "eu" };
  await post("connections", { connection_id: "lake", conn_type: "s3", password: "lake-pass", extra }, connectionAnswer);
  const declared = { variables: ["given", "settings", "shown", "missing"], connections: ["lake"] };
  await publishDag(fixture, makeDag("reader", { tasks: [makeTask("reads", declared)] }));
  await triggerRun(fixture, "reader", "r1");
  const attemptId = await queueAttempt(fixture, { dag_id: "reader", dag_run_id: "r1", task_id: "reads" });
  const token = await fixture.tokens.issueLaunchToken({ attempt_id: attemptId, epoch: 1 });
  const answer = await fixture.call(
    {
      method: "POST",
      url: `/execution/v1/attempts/${attemptId}/start`,
      payload: { worker_id: randomUUID(), hostname: "pod", pid: 1 },
      headers: { authorization: `Bearer ${token}` },
    },
    startAnswer,
    200,
  );
  expect(answer.variables).toEqual({ given: "value-of-given", settings, shown: "value-of-shown" });
  expect(answer.connections).toMatchObject({ lake: { conn_type: "s3", password: "lake-pass", extra } });
  const masked = ["eu", "in-the-json", "lake-pass", settings, "token-in-extra", "value-of-given"];
  expect(answer.masked?.toSorted()).toEqual(masked.toSorted());
});

test("after a rotation the old key is not needed, and before it both are", async () => {
  const newKey = randomBytes(32).toString("base64");
  await post("variables", { key: "turned", value: "round", is_secret: false }, variableAnswer);
  const { rows: before } = await fixture.db.query({ text: "select key from variable" });
  expect(await rotateKeys(fixture.db, createSealer([newKey, OLD_KEY]))).toMatchObject({ variables: before.length });
  expect(await rotateKeys(fixture.db, createSealer([newKey]))).toEqual({ variables: 0, connections: 0 });

  const failed = await fixture.get("/api/v2/variables/turned", problem, 503);
  expect(failed).toMatchObject({ code: "encryption_unavailable" });
  const renewed = await openApiFixture({ sealer: createSealer([newKey]), db: fixture.db });
  expect(await renewed.get("/api/v2/variables/turned", variableAnswer)).toMatchObject({ value: "round" });
  const connections = await renewed.get("/api/v2/connections", connectionsAnswer);
  expect(connections.total_entries).toBeGreaterThan(0);
});
