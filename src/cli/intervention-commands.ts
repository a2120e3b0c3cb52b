// The commands by which people change runs, and compare DAG files with what is deployed.

import { type Command, Option } from "commander";
import type { ClearOptions, Manner, MarkOptions, RerunOptions } from "./commands/interventions.ts";
import { MARKS } from "../core/plan-mark.ts";
import { connectApi } from "./connect-api.ts";
import type { Configuration } from "./configuration.ts";

interface Commands {
  program: Command;
  dags: Command;
  readSettings: () => Configuration;
  readFormat: (output: string) => "text" | "json";
  print: (text: string) => void;
}

type Options<Kind> = Omit<Kind, "output"> & { output: string };

export function addInterventionCommands({ program, dags, readSettings, readFormat, print }: Commands): void {
  const load = async () => ({
    client: await connectApi(readSettings()),
    commands: await import("./commands/interventions.ts"),
  });
  const manner = <Kind extends Manner>(options: Options<Kind>): Kind =>
    // What is replaced is the one field whose type differs.
    ({ ...options, output: readFormat(options.output) }) as unknown as Kind;
  const withOutput = (command: Command) => command.option("--output <format>", "text or json", "text");
  const withPreview = (command: Command) => withOutput(command).option("--dry-run", "only show what would change");
  const withReach = (command: Command) =>
    command
      .option("--upstream", "and all tasks above")
      .option("--downstream", "and all tasks below")
      .option("--past", "and in runs of earlier logical dates")
      .option("--future", "and in runs of later logical dates");
  const withLatest = (command: Command) => command.option("--latest", "with the newest version of the DAG's code");

  withOutput(
    dags
      .command("diff")
      .description("show what a file changes in the deployed DAG; exit code 0: nothing, 1: something, 2: trouble")
      .argument("<file>", "the DAG file")
      .option("--dag <id>", "which DAG, when the file has several")
      .option("--against <id>", "compare with the DAG of this id")
      .option("--dag-version <number>", "compare with this version, not the current one"),
  ).action(async (file: string, options: { dag?: string; against?: string; dagVersion?: string; output: string }) => {
    const { diffDag } = await import("./commands/dags-diff.ts");
    const asked = {
      file,
      dagId: options.dag ?? null,
      against: options.against ?? null,
      version: options.dagVersion === undefined ? null : Number(options.dagVersion),
      output: readFormat(options.output),
    };
    process.exitCode = 2;
    process.exitCode = await diffDag(asked, await connectApi(readSettings()), print);
  });

  const tasks = program.command("tasks").description("change task instances of a run");
  const runs = program.command("runs").description("change runs");

  withLatest(withReach(withPreview(tasks.command("clear"))))
    .description("execute task instances again; running attempts are ended first")
    .argument("<dag>")
    .argument("<run>")
    .argument("<tasks...>", "task ids; load[3] is one instance of a mapped task")
    .option("--only-failed", "only those that failed")
    .option("--only-running", "only those that run")
    .action(async (dagId: string, runId: string, ids: string[], options: Options<ClearOptions>) => {
      const { client, commands } = await load();
      print(await commands.clearTasks(client, { dagId, runId }, ids, manner<ClearOptions>(options)));
    });

  withReach(withPreview(tasks.command("mark")))
    .description("say how a task instance has ended; a running attempt is ended")
    .argument("<dag>")
    .argument("<run>")
    .argument("<task>")
    .addOption(new Option("--as <state>", "how it has ended").choices(MARKS).makeOptionMandatory())
    .action(async (dagId: string, runId: string, id: string, options: Options<MarkOptions>) => {
      const { client, commands } = await load();
      print(await commands.markTask(client, { dagId, runId }, id, manner<MarkOptions>(options)));
    });

  withPreview(tasks.command("cancel"))
    .description("end a task instance's attempt; it fails without another try")
    .argument("<dag>")
    .argument("<run>")
    .argument("<task>")
    .action(async (dagId: string, runId: string, id: string, options: Options<Manner>) => {
      const { client, commands } = await load();
      print(await commands.cancelTask(client, { dagId, runId }, id, manner<Manner>(options)));
    });

  withLatest(withPreview(runs.command("clear")))
    .description("execute all task instances of a run again")
    .argument("<dag>")
    .argument("<run>")
    .option("--only-failed", "only those that failed")
    .action(async (dagId: string, runId: string, options: Options<ClearOptions>) => {
      const { client, commands } = await load();
      print(await commands.clearRun(client, { dagId, runId }, manner<ClearOptions>(options)));
    });

  withPreview(runs.command("cancel"))
    .description("end a run's attempts; it fails, and what has not begun is skipped")
    .argument("<dag>")
    .argument("<run>")
    .action(async (dagId: string, runId: string, options: Options<Manner>) => {
      const { client, commands } = await load();
      print(await commands.cancelRun(client, { dagId, runId }, manner<Manner>(options)));
    });

  withLatest(withPreview(runs.command("rerun")))
    .description("make a new run that executes the given tasks and all below them; what else succeeded is taken over")
    .argument("<dag>")
    .argument("<run>")
    .argument("<tasks...>", "task ids")
    .option("--conf <json>", "other params")
    .option("--result <task=json...>", "another result for a task that is taken over")
    .option("--run-id <id>", "the new run's id")
    .action(async (dagId: string, runId: string, ids: string[], options: Options<RerunOptions>) => {
      const { client, commands } = await load();
      print(await commands.rerunFrom(client, { dagId, runId }, ids, manner<RerunOptions>(options)));
    });
}
