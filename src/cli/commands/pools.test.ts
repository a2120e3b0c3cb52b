import { Command } from "commander";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiFixture, openApiFixture } from "../../api/api-fixture.ts";
import { readConfiguration } from "../configuration.ts";
import { addPoolCommands } from "./pools.ts";

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
  addPoolCommands(program, {
    readConfiguration: () => readConfiguration({ WINDLASS_API_URL: address }),
    print: (line) => lines.push(line),
  });
  await program.parseAsync(words, { from: "user" });
  return lines;
}

test("pools are set, changed, listed and deleted", async () => {
  expect(await run("pools", "set", "db", "3", "--include-deferred")).toEqual(["pool db has 3 slots"]);
  await run("pools", "set", "db", "4", "--description", "of the shop");
  const [json = ""] = await run("pools", "list", "--output", "json");
  expect(JSON.parse(json)).toMatchObject([
    { name: "db", slots: 4, description: "of the shop", include_deferred: true },
    { name: "default_pool" },
  ]);
  expect(await run("pools", "set", "db", "-1")).toEqual(["pool db has no limit of slots"]);
  expect(await run("pools", "list")).toEqual([
    "pool\tslots\trunning\tqueued\tscheduled\tdeferred\topen",
    "db\t-1\t0\t0\t0\t0\t-1",
    "default_pool\t-1\t0\t0\t0\t0\t-1",
  ]);
  expect(await run("pools", "delete", "db")).toEqual(["pool db is deleted"]);
});

test("what the API refuses is told as it tells it", async () => {
  await expect(run("pools", "delete", "nope")).rejects.toMatchObject({ code: "not_found" });
  await expect(run("pools", "delete", "default_pool")).rejects.toMatchObject({ code: "invalid_request" });
});
