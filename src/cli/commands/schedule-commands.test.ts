import { Command } from "commander";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiFixture, makeDag, openApiFixture, publishDag } from "../../api/api-fixture.ts";
import { readConfiguration } from "../configuration.ts";
import { addScheduleCommands } from "./schedule-commands.ts";

let fixture: ApiFixture;
let address = "";
beforeAll(async () => {
  fixture = await openApiFixture();
  const daily = { kind: "cron", expression: "0 6 * * *", timezone: "UTC" } as const;
  await publishDag(fixture, makeDag("daily", { schedule: daily }));
  address = await fixture.api.listen({ host: "127.0.0.1", port: 0 });
});
afterAll(() => fixture.close());

/** What the command prints, and what is written about a wrong argument. */
async function run(...words: string[]): Promise<{ lines: string[]; fault: string }> {
  const lines: string[] = [];
  let fault = "";
  const configure = (command: Command): void => {
    command.exitOverride().configureOutput({ writeErr: (text) => (fault += text) });
    for (const each of command.commands) configure(each);
  };
  const program = new Command("windlass");
  addScheduleCommands(program, program.command("dags"), {
    readConfiguration: () => readConfiguration({ WINDLASS_API_URL: address }),
    readFormat: () => "text",
    print: (line) => lines.push(line),
  });
  configure(program);
  await program.parseAsync(words, { from: "user" }).catch((error: unknown) => {
    if (fault === "") throw error;
  });
  return { lines, fault };
}

const create = (from: string, to: string, ...more: string[]) =>
  run("backfill", "create", "daily", "--from", from, "--to", to, ...more);

test.each([
  ["2026-02-01", "2026-02-02", ["2026-02-01T06:00:00.000Z", "2026-02-02T06:00:00.000Z"]],
  ["2026-02-01", "2026-02-01", ["2026-02-01T06:00:00.000Z"]],
  ["2026-02-01", "2026-02-02T05:59", ["2026-02-01T06:00:00.000Z"]],
  ["2026-02-01T07:00:00Z", "2026-02-02T06:00:00Z", ["2026-02-02T06:00:00.000Z"]],
])("a backfill from %s to %s has the runs of both", async (from, to, dates) => {
  const { lines } = await create(from, to, "--dry-run");
  expect(lines).toEqual([...dates, `${dates.length} runs would be made or repeated`]);
});

test.each([
  [
    "--reprocess",
    ["create", "daily", "--from", "2026-02-01", "--to", "2026-02-02", "--reprocess", "all"],
    "none, failed, completed",
  ],
  ["the number", ["pause", "daily"], "number of a backfill, as in windlass backfill list"],
  ["--to", ["create", "daily", "--from", "2026-02-01", "--to", "soon"], "Give a date as in"],
])("a wrong value of %s is told with what it can be", async (_, words, expected) => {
  expect((await run("backfill", ...words)).fault).toContain(expected);
});
