// `windlass dags next-runs` and `windlass backfill`: their arguments. What they do is loaded when one of them is called.

import { type Command, InvalidArgumentError, Option } from "commander";
import { REPROCESS_BEHAVIORS } from "../../core/backfill.ts";
import type { CommandLine } from "../command-line.ts";
import type { CreateOptions } from "./backfill.ts";

export function addScheduleCommands(
  program: Command,
  dags: Command,
  { readConfiguration, readFormat, print }: CommandLine & { readFormat: (output: string) => "text" | "json" },
): void {
  const connect = async () => {
    const { connectApi } = await import("../connect-api.ts");
    return connectApi(readConfiguration());
  };

  dags
    .command("next-runs")
    .description("show the runs that a schedule calls for next")
    .argument("<file-or-id>", "a DAG file, or the id of a DAG that the API knows")
    .option("--from <iso>", "the runs after this instant; now unless given", readMoment)
    .option("--count <n>", "how many", readCount, 10)
    .option("--dag <id>", "which DAG, when the file has several")
    .option("--output <format>", "text or json", "text")
    .action(async (fileOrId: string, options: { from?: Date; count: number; dag?: string; output: string }) => {
      const { printNextRuns } = await import("./next-runs.ts");
      const { from = null, count, dag: dagId = null } = options;
      await printNextRuns({ fileOrId, dagId, from, count, output: readFormat(options.output) }, connect, print);
    });

  const backfill = program.command("backfill").description("run a DAG for a range of dates");

  backfill
    .command("create")
    .description("make the runs of a range of logical dates, both ends included")
    .argument("<dag-id>", "the DAG")
    .requiredOption("--from <iso>", "the first date; without offset it is UTC", readMoment)
    .requiredOption("--to <iso>", "the last date; without a time, all of that day", readLastMoment)
    .addOption(
      new Option("--reprocess <which>", "which runs that exist are run again")
        .choices(REPROCESS_BEHAVIORS)
        .default("none"),
    )
    .option("--max-active-runs <n>", "runs of this backfill at once", readCount, 10)
    .option("--backwards", "newest first", false)
    .option("--dry-run", "list the dates, and change nothing", false)
    .option("--conf <json>", "the runs' params, as a JSON object", "{}")
    .option("--output <format>", "text or json", "text")
    .action(async (dagId: string, options: Omit<CreateOptions, "dagId" | "output"> & { output: string }) => {
      const { createBackfill } = await import("./backfill.ts");
      await createBackfill({ ...options, dagId, output: readFormat(options.output) }, await connect(), print);
    });

  backfill
    .command("list")
    .description("list backfills, the newest first")
    .option("--dag <id>", "of one DAG only")
    .option("--output <format>", "text or json", "text")
    .action(async (options: { dag?: string; output: string }) => {
      const { printBackfills } = await import("./backfill.ts");
      await printBackfills(options.dag ?? null, readFormat(options.output), await connect(), print);
    });

  const backfillActions = {
    pause: "begin no more runs for now",
    unpause: "go on with a paused backfill",
    cancel: "end a backfill: queued runs fail, running ones go on",
  } as const;
  for (const action of ["pause", "unpause", "cancel"] as const) {
    backfill
      .command(action)
      .description(backfillActions[action])
      .argument("<id>", "the backfill's number", readId)
      .option("--output <format>", "text or json", "text")
      .action(async (id: string, { output }: { output: string }) => {
        const { changeBackfill } = await import("./backfill.ts");
        await changeBackfill(id, action, readFormat(output), await connect(), print);
      });
  }
}

function readCount(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError("Give a whole number from 1 on.");
  return Number(text);
}

function readId(text: string): string {
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new InvalidArgumentError("Give the number of a backfill, as in windlass backfill list.");
  }
  return text;
}

/** A day stands for its last moment. */
function readLastMoment(text: string): Date {
  const moment = readMoment(text);
  return /T/i.test(text) ? moment : new Date(moment.getTime() + 86_400_000 - 1);
}

function readMoment(text: string): Date {
  try {
    const isExact = /T.*(Z|[+-]\d\d(:?\d\d)?)$/i.test(text);
    const instant = isExact
      ? Temporal.Instant.from(text)
      : Temporal.PlainDateTime.from(text).toZonedDateTime("UTC").toInstant();
    return new Date(instant.epochMilliseconds);
  } catch {
    throw new InvalidArgumentError("Give a date as in 2026-01-31 or 2026-01-31T06:00:00Z.");
  }
}
