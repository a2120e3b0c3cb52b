import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandFixture, openCommandFixture } from "./command-fixture.ts";
import { addPoolCommands } from "./pools.ts";

let fixture: CommandFixture;
beforeAll(async () => {
  fixture = await openCommandFixture(addPoolCommands);
});
afterAll(() => fixture.close());

const run = (...words: string[]) => fixture.run(...words);

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
