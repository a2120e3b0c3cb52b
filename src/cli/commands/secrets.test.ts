import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandFixture, openCommandFixture } from "./command-fixture.ts";
import { addSecretCommands } from "./secrets.ts";

let fixture: CommandFixture;
beforeAll(async () => {
  fixture = await openCommandFixture(addSecretCommands);
});
afterAll(() => fixture.close());

const run = (...words: string[]) => fixture.run(...words);

test("variables are set, changed, listed and deleted", async () => {
  expect(await run("variables", "set", "bucket", "reports", "--plain")).toEqual(["variable bucket is set"]);
  await run("variables", "set", "token", "hunter22", "--description", "of the shop");
  await run("variables", "set", "bucket", "archive", "--plain");
  expect(await run("variables", "list")).toEqual(["bucket\tarchive", "token\t(secret)\tof the shop"]);
  const [json = ""] = await run("variables", "list", "--output", "json");
  expect(JSON.parse(json)).toMatchObject([
    { key: "bucket", value: "archive" },
    { key: "token", value: null },
  ]);
  await run("variables", "delete", "token");
  expect(await run("variables", "list")).toEqual(["bucket\tarchive"]);
});

test("a connection is created with its type, and changed without", async () => {
  await expect(run("connections", "set", "db", "--host", "db.example")).rejects.toThrow("give --type to create it");
  await run(
    "connections",
    "set",
    "db",
    "--type",
    "postgres",
    "--host",
    "db.example",
    "--extra",
    '{"sslmode":"require"}',
  );
  await run("connections", "set", "db", "--port", "5432");
  expect(await run("connections", "list")).toEqual(["db\tpostgres\tdb.example:5432"]);
});

test("what the API refuses is told as it tells it", async () => {
  await expect(run("variables", "delete", "nope")).rejects.toMatchObject({ code: "not_found" });
  await expect(run("variables", "set", "a b", "x")).rejects.toMatchObject({ code: "invalid_request" });
});
