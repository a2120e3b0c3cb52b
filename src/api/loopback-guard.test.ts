import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiFixture, makeDag, openApiFixture, publishDag } from "./api-fixture.ts";
import { findForeignSign, isLoopbackName } from "./loopback-guard.ts";

test.each([
  ["localhost", true],
  ["dags.localhost", true],
  ["127.0.0.1", true],
  ["127.9.9.9", true],
  ["[::1]", true],
  ["127.0.0.1.example.com", false],
  ["localhost.example.com", false],
  ["192.168.0.1", false],
  ["[::2]", false],
])("%s is a loopback name: %s", (name, expected) => {
  expect(isLoopbackName(name)).toBe(expected);
});

test.each([
  ["GET", { host: "127.0.0.1:8080" }, true],
  ["GET", { host: "localhost" }, true],
  ["GET", { host: "[::1]:8080" }, true],
  ["GET", { host: "evil.example:8080" }, false],
  ["GET", { host: "evil.example@127.0.0.1" }, false],
  ["GET", {}, false],
  ["POST", { host: "127.0.0.1:8080" }, true],
  ["POST", { host: "127.0.0.1:8080", origin: "http://127.0.0.1:8080", "sec-fetch-site": "same-origin" }, true],
  ["POST", { host: "127.0.0.1:8080", origin: "http://127.0.0.1:9999" }, false],
  ["POST", { host: "127.0.0.1:8080", origin: "https://evil.example" }, false],
  ["POST", { host: "127.0.0.1:8080", origin: "null" }, false],
  ["PATCH", { host: "127.0.0.1:8080", "sec-fetch-site": "cross-site" }, false],
  ["PATCH", { host: "localhost:8080", "sec-fetch-site": "same-site" }, false],
  ["GET", { host: "localhost:8080", "sec-fetch-site": "cross-site" }, true],
])("%s with %j passes: %s", (method, headers, passes) => {
  expect(findForeignSign(method, headers) === null).toBe(passes);
});

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await openApiFixture();
  await publishDag(fixture, makeDag("alpha"));
});
afterAll(() => fixture.close());

test("an open API refuses what a foreign page could send", async () => {
  const pause = (headers: Record<string, string>) =>
    fixture.api.inject({ method: "PATCH", url: "/api/v2/dags/alpha", payload: { is_paused: true }, headers });
  expect((await pause({ host: "evil.example" })).statusCode).toBe(403);
  expect((await pause({ host: "localhost", origin: "https://evil.example" })).statusCode).toBe(403);
  expect((await pause({ host: "localhost" })).statusCode).toBe(200);
  const token = await fixture.api.inject({
    method: "POST",
    url: "/auth/token",
    payload: { username: "admin", password: "" },
  });
  expect(token.statusCode).toBe(403);
});
