import { pino } from "pino";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findFreePort } from "../cli/free-port.ts";
import { dagsAnswer } from "../contract/rest-dags.ts";
import {
  healthAnswer,
  importErrorAnswer,
  importErrorsAnswer,
  tokenAnswer,
  versionAnswer,
} from "../contract/rest-installation.ts";
import { problem, PROBLEM_TYPE } from "../contract/rest.ts";
import { failure, isFailure } from "../core/errors.ts";
import { saveImportFault } from "../store/dag-files.ts";
import { openDatabase } from "../store/database.ts";
import { recordProcess } from "../store/processes.ts";
import { type ApiFixture, openApiFixture, PASSWORD } from "./api-fixture.ts";
import { digestPassword } from "./authentication.ts";
import { createApi, createApiService } from "./server.ts";

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await openApiFixture({ access: { kind: "password", digest: digestPassword(PASSWORD) } });
});
afterAll(() => fixture.close());

const signIn = (password: string, remoteAddress = "10.0.0.1", username = "admin") =>
  fixture.api.inject({ method: "POST", url: "/auth/token", payload: { username, password }, remoteAddress });
const getDags = (token: string | null) =>
  fixture.api.inject({
    method: "GET",
    url: "/api/v2/dags",
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
  });

test("the password buys a token that opens the API for 24 hours", async () => {
  const answer = await signIn(PASSWORD);
  expect(answer.statusCode).toBe(201);
  const { access_token, token_type, expires_in } = tokenAnswer.parse(answer.json());
  expect({ token_type, expires_in }).toEqual({ token_type: "bearer", expires_in: 86_400 });
  expect(dagsAnswer.parse((await getDags(access_token)).json()).total_entries).toBe(0);
  expect((await getDags(`${access_token}x`)).statusCode).toBe(401);
  fixture.advance(86_400 + 11);
  expect((await getDags(access_token)).statusCode).toBe(401);
});

test("without a token there is a problem, with what to do", async () => {
  const answer = await getDags(null);
  expect(answer.statusCode).toBe(401);
  expect(answer.headers["www-authenticate"]).toBe("Bearer");
  expect(answer.headers["content-type"]).toContain(PROBLEM_TYPE);
  expect(problem.parse(answer.json())).toMatchObject({
    code: "unauthenticated",
    detail: expect.stringContaining("Authorization"),
  });
});

test("a worker's token is none of a person's", async () => {
  const token = await fixture.tokens.issueExecutionToken({ attempt_id: crypto.randomUUID(), epoch: 1 });
  expect((await getDags(token)).statusCode).toBe(401);
});

test("another password ends the tokens that the old one bought", async () => {
  const { access_token } = tokenAnswer.parse((await signIn(PASSWORD)).json());
  const other = await createApi({
    ...fixture.options,
    metrics: new Registry(),
    access: { kind: "password", digest: digestPassword("new") },
  });
  const answer = await other.inject({
    method: "GET",
    url: "/api/v2/dags",
    headers: { authorization: `Bearer ${access_token}` },
  });
  expect(answer.statusCode).toBe(401);
  await other.close();
});

test("guessing is slowed down for each address by itself", async () => {
  for (let guess = 0; guess < 10; guess += 1) expect((await signIn(`guess ${guess}`, "10.0.0.9")).statusCode).toBe(401);
  const refused = await signIn(PASSWORD, "10.0.0.9");
  expect(refused.statusCode).toBe(429);
  expect(Number(refused.headers["retry-after"])).toBe(60);
  expect(problem.parse(refused.json()).code).toBe("rate_limited");
  expect((await signIn(PASSWORD, "10.0.0.8")).statusCode).toBe(201);
  expect((await signIn(PASSWORD, "10.0.0.7", "root")).statusCode).toBe(401);
  fixture.advance(61);
  expect((await signIn(PASSWORD, "10.0.0.9")).statusCode).toBe(201);
});

test("version and health need no token", async () => {
  expect(await fixture.get("/api/v2/version", versionAnswer)).toEqual({ version: "1.2.3", git_version: null });
  expect((await fixture.get("/api/v2/monitor/health", healthAnswer)).scheduler).toEqual({
    status: "unhealthy",
    latest_scheduler_heartbeat: null,
  });
  await recordProcess(fixture.db, { id: "s1", kind: "scheduler", hostname: "h" }, fixture.now());
  const beat = fixture.now().toISOString();
  fixture.advance(29);
  expect(await fixture.get("/api/v2/monitor/health", healthAnswer)).toEqual({
    metadatabase: { status: "healthy" },
    scheduler: { status: "healthy", latest_scheduler_heartbeat: beat },
    triggerer: { status: null, latest_triggerer_heartbeat: null },
    dag_processor: { status: "healthy", latest_dag_processor_heartbeat: beat },
  });
  fixture.advance(1);
  expect((await fixture.get("/api/v2/monitor/health", healthAnswer)).scheduler.status).toBe("unhealthy");
});

test.each([
  ["GET", "/nothing", 404, "not_found"],
  ["DELETE", "/auth/token", 404, "not_found"],
  ["GET", "/api/v2/dags/%zz", 400, "invalid_request"],
] as const)("%s %s is the problem %i", async (method, url, status, code) => {
  const answer = await fixture.api.inject({ method, url });
  expect(answer.statusCode).toBe(status);
  expect(answer.headers["content-type"]).toContain(PROBLEM_TYPE);
  expect(problem.parse(answer.json())).toMatchObject({ status, code, instance: url });
});

test.each([
  ["not JSON", "application/json", "{", 400, "invalid_request"],
  ["a form", "application/x-www-form-urlencoded", "username=admin", 415, "invalid_request"],
  [
    "too large",
    "application/json",
    JSON.stringify({ username: "a", password: "x".repeat(20_000) }),
    413,
    "payload_too_large",
  ],
])("a body that is %s is refused", async (_name, type, payload, status, code) => {
  const answer = await fixture.api.inject({
    method: "POST",
    url: "/auth/token",
    headers: { "content-type": type },
    payload,
  });
  expect(problem.parse(answer.json())).toMatchObject({ status, code });
});

test("a harmless request id is kept, any other is replaced", async () => {
  const ask = async (id: string) =>
    (await fixture.api.inject({ method: "GET", url: "/livez", headers: { "x-request-id": id } })).headers[
      "x-request-id"
    ];
  expect(await ask("trace-1")).toBe("trace-1");
  expect(await ask("<script>")).toMatch(/^[0-9a-f-]{36}$/);
});

test("answers carry security headers", async () => {
  const { headers } = await fixture.api.inject({ method: "GET", url: "/livez" });
  expect(headers).toMatchObject({
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
  });
});

test("metrics count requests by route, not by path", async () => {
  await fixture.api.inject({ method: "GET", url: "/api/v2/dags/some-id" });
  const { body, headers } = await fixture.api.inject({ method: "GET", url: "/metrics" });
  expect(headers["content-type"]).toContain("text/plain");
  expect(body).toContain(
    'windlass_http_request_duration_seconds_count{method="GET",route="/api/v2/dags/:dag_id",status="401"}',
  );
  expect(body).not.toContain("some-id");
});

test("import errors are listed and shown with their place", async () => {
  await saveImportFault(
    fixture.db,
    { filename: "a.ts", message: "bad", line: 3, column: 7, stack_trace: "bad\n at a.ts:3:7" },
    fixture.now(),
  );
  const { access_token } = tokenAnswer.parse((await signIn(PASSWORD)).json());
  const ask = (url: string) =>
    fixture.api.inject({
      method: "GET",
      url: `/api/v2/importErrors${url}`,
      headers: { authorization: `Bearer ${access_token}` },
    });
  const list = importErrorsAnswer.parse((await ask("?order_by=-timestamp&filename_pattern=A.t")).json());
  expect(list).toMatchObject({
    total_entries: 1,
    import_errors: [{ filename: "a.ts", message: "bad", line: 3, column: 7 }],
  });
  const id = list.import_errors[0]?.import_error_id;
  expect(importErrorAnswer.parse((await ask(`/${id}`)).json())).toEqual(list.import_errors[0]);
  expect((await ask("/999")).statusCode).toBe(404);
});

test("an unexpected error is hidden from the answer, and in the log with its cause", async () => {
  const lines: string[] = [];
  const log = pino({ level: "error" }, { write: (line: string) => void lines.push(line) });
  const broken = await openApiFixture({ log });
  await broken.db.query({ text: "drop table import_error" });
  const answer = await broken.api.inject({
    method: "GET",
    url: "/api/v2/importErrors",
    headers: { "x-request-id": "find-me" },
  });
  expect(problem.parse(answer.json())).toMatchObject({ status: 500, code: "internal", errors: [] });
  expect(answer.body).not.toMatch(/relation|does not exist|select|server\.test/);
  expect(lines.join("")).toContain('relation \\"import_error\\" does not exist');
  expect(lines.join("")).toContain("find-me");
  await broken.close();
});

test("without Postgres: alive, not ready, 503, and health that says so", async () => {
  const unreachable = await findFreePort();
  const db = openDatabase({
    url: `postgres://x@127.0.0.1:${unreachable}/x`,
    poolSize: 1,
    applicationName: "t",
    log: fixture.options.log,
  });
  const checkSchema = async () => void (await db.query({ text: "select 1" }));
  const api = await createApi({
    ...fixture.options,
    metrics: new Registry(),
    db,
    checkSchema,
    access: { kind: "open" },
  });
  const ask = (url: string) => api.inject({ method: "GET", url });
  expect((await ask("/livez")).statusCode).toBe(200);
  for (const url of ["/readyz", "/api/v2/dags"]) {
    const answer = await ask(url);
    expect(problem.parse(answer.json())).toMatchObject({ status: 503, code: "unavailable" });
    expect(answer.body).not.toMatch(/select|ECONNREFUSED|127\.0\.0\.1/);
  }
  expect(healthAnswer.parse((await ask("/api/v2/monitor/health")).json()).metadatabase.status).toBe("unhealthy");
  await api.close();
  await db.close();
});

test("readiness fails with 503 when the schema is another release's", async () => {
  const ready = await fixture.api.inject({ method: "GET", url: "/readyz" });
  expect(ready.statusCode).toBe(200);
  const api = await createApi({
    ...fixture.options,
    metrics: new Registry(),
    checkSchema: async () => Promise.reject(failure("schema_newer", "version 9 is in the database")),
  });
  const answer = await api.inject({ method: "GET", url: "/readyz" });
  expect(problem.parse(answer.json())).toMatchObject({ status: 503, code: "schema_newer" });
  await api.close();
});

test("a port in use is one clear line, and a stopped service lets go of its port", async () => {
  const port = await findFreePort();
  const make = async () => createApiService({ ...fixture.options, metrics: new Registry(), host: "127.0.0.1", port });
  const first = await make();
  const second = await make();
  await first.start();
  expect(first.address()).toBe(`http://127.0.0.1:${port}`);
  expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
  const error: unknown = await second.start().catch((reason: unknown) => reason);
  expect(isFailure(error, "invalid_configuration") && error.message).toMatch(
    new RegExp(`127.0.0.1:${port}: another process uses this port`),
  );
  await second.stop();
  await first.stop();
  const third = await make();
  await third.start();
  await third.stop();
});
