import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
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

/** The command as a process, with a text on its stdin. */
async function pipe(input: string, ...words: string[]) {
  const windlass = join(import.meta.dirname, "..", "..", "..", "bin", "windlass");
  const child = spawn(windlass, words, { env: { PATH: process.env["PATH"], WINDLASS_API_URL: fixture.address } });
  child.stdin.end(input);
  const [said, complained] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode, said, complained };
}

test("what is secret comes by stdin, and is not shown when it is wrong", async () => {
  const set = ["connections", "set", "shop"];
  expect(await pipe('{"key":"hunter22"}\n', ...set, "--type", "http", "--extra-stdin")).toMatchObject({ code: 0 });
  expect(await pipe("hunter22\n", ...set, "--password-stdin")).toMatchObject({ code: 0 });
  const [json = ""] = await run("connections", "list", "--output", "json");
  expect(JSON.parse(json)).toContainEqual(expect.objectContaining({ has_password: true, extra_keys: ["key"] }));
  const wrong = [
    await pipe("{key: hunter22}", ...set, "--extra-stdin"),
    await pipe("", ...set, "--extra", "{key: hunter22}"),
    await pipe("hunter22", ...set, "--extra-stdin", "--password-stdin"),
  ];
  for (const { code, said, complained } of wrong) {
    expect({ code, said }).toEqual({ code: 2, said: "" });
    expect(complained).toMatch(/^windlass: .*(no JSON object|stdin holds one thing)/);
    expect(complained).not.toContain("hunter22");
  }
}, 60_000);

test("what the API refuses is told as it tells it", async () => {
  await expect(run("variables", "delete", "nope")).rejects.toMatchObject({ code: "not_found" });
  await expect(run("variables", "set", "a b", "x")).rejects.toMatchObject({ code: "invalid_request" });
});
