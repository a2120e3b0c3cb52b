import { Command } from "commander";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiFixture, openApiFixture } from "../../api/api-fixture.ts";
import { readConfiguration } from "../configuration.ts";
import { addSecretCommands } from "./secrets.ts";

let fixture: ApiFixture;
let address = "";
beforeAll(async () => {
  fixture = await openApiFixture();
  address = await fixture.api.listen({ host: "127.0.0.1", port: 0 });
});
afterAll(() => fixture.close());

/** What the command prints. */
async function run(...words: string[]): Promise<string[]> {
  const lines: string[] = [];
  const program = new Command("windlass").exitOverride();
  addSecretCommands(program, {
    readConfiguration: () => readConfiguration({ WINDLASS_API_URL: address }),
    print: (line) => lines.push(line),
  });
  await program.parseAsync(words, { from: "user" });
  return lines;
}

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
