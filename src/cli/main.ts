// The command line: the one composition root. It alone reads the environment; every role gets what it needs as values.
// Exit codes: 0 success, 1 a failure (a run, a service), 2 wrong usage or configuration.

import { Command, CommanderError, InvalidArgumentError } from "commander";
import { isFailure, messageOf } from "../core/errors.ts";
import { createLogger, type Logger } from "../lifecycle/log.ts";
import { runUntilSignal } from "../lifecycle/signals.ts";
import { addAssetCommands } from "./commands/assets.ts";
import { addPoolCommands } from "./commands/pools.ts";
import { addScheduleCommands } from "./commands/schedule-commands.ts";
import { addSecretCommands } from "./commands/secrets.ts";
import { type Configuration, readConfiguration, type SettingName } from "./configuration.ts";
import { readVersion } from "./installation.ts";
import { addInterventionCommands } from "./intervention-commands.ts";

const USAGE_CODES = new Set(["invalid_request", "invalid_configuration", "invalid_params", "invalid_dag"]);

function configure(
  overrides: Partial<Record<SettingName, string>> = {},
  required: readonly SettingName[] = [],
): { configuration: Configuration; environment: NodeJS.ProcessEnv; log: Logger } {
  const configuration = readConfiguration(process.env, overrides, required);
  return { configuration, environment: process.env, log: createLogger(configuration.WINDLASS_LOG_LEVEL) };
}

function readSeconds(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError("Give whole seconds, as in --wait 300.");
  return Number(text);
}

function readFormat(output: string): "text" | "json" {
  if (output === "text" || output === "json") return output;
  throw new CommanderError(2, "windlass.output", `--output is "${output}": use text or json`);
}

const print = (text: string) => void process.stdout.write(`${text}\n`);

// Roles load their own modules: a worker or `--help` does not pay for Postgres and Fastify.
const program = new Command("windlass")
  .description("Runs workflows written in TypeScript on Kubernetes, one pod per task.")
  .version(readVersion())
  .showHelpAfterError("(windlass --help lists the commands)")
  .exitOverride();

program
  .command("standalone")
  .description("run everything on this machine: an embedded Postgres, the API, the scheduler, a process per task")
  .option("--dags <folder>", "the folder with the DAG files (WINDLASS_DAGS_FOLDER)")
  .action(async ({ dags }: { dags?: string }) => {
    const { announce, createStandalone } = await import("./standalone.ts");
    const role = configure({
      WINDLASS_EXECUTOR: "local",
      WINDLASS_LISTEN_HOST: "127.0.0.1",
      WINDLASS_PROBE_PORT: "0",
      WINDLASS_LOG_LEVEL: "warn",
      ...(dags === undefined ? {} : { WINDLASS_DAGS_FOLDER: dags }),
    });
    const standalone = createStandalone(role);
    await runUntilSignal(standalone, role.log, () => {
      print(announce(standalone.address(), role.configuration.WINDLASS_DAGS_FOLDER));
    });
  });

program
  .command("demo")
  .description("start standalone with the examples, run one of them, and show what it did")
  .action(async () => {
    const { ROOT } = await import("./installation.ts");
    const { runDemo } = await import("./commands/demo.ts");
    const role = configure({
      WINDLASS_EXECUTOR: "local",
      WINDLASS_LISTEN_HOST: "127.0.0.1",
      WINDLASS_PROBE_PORT: "0",
      WINDLASS_LOG_LEVEL: "error",
      WINDLASS_DAGS_FOLDER: `${ROOT}/examples`,
    });
    process.exitCode = await runDemo(role, print);
  });

program
  .command("scheduler")
  .description("read DAG files, schedule runs, launch their tasks")
  .action(async () => {
    const role = configure({}, ["WINDLASS_DATABASE_URL", "WINDLASS_API_URL"]);
    const { composeScheduler, openStore } = await import("./compose.ts");
    const { waitForSchema } = await import("./wait-for-schema.ts");
    const { db, rules } = openStore(role, role.configuration.WINDLASS_DATABASE_URL ?? "", "scheduler");
    if (!(await waitForSchema(db, role.log))) return db.close();
    const scheduler = await composeScheduler(role, db, rules, role.configuration.WINDLASS_API_URL ?? "");
    await runUntilSignal(scheduler, role.log, () => role.log.info("the scheduler runs"));
    await db.close();
  });

program
  .command("api")
  .description("serve the REST API to people and the execution API to workers")
  .action(async () => {
    const role = configure({}, ["WINDLASS_DATABASE_URL"]);
    const { composeApi, openStore } = await import("./compose.ts");
    const { waitForSchema } = await import("./wait-for-schema.ts");
    const { chooseAdminAccess } = await import("./admin-password.ts");
    const { db, rules } = openStore(role, role.configuration.WINDLASS_DATABASE_URL ?? "", "api");
    if (!(await waitForSchema(db, role.log))) return db.close();
    const api = await composeApi(role, db, rules, await chooseAdminAccess(role, db, print));
    await runUntilSignal(api, role.log);
    await db.close();
  });

program
  .command("worker")
  .description("run one attempt of a task; started by an executor, never by hand")
  .action(async () => {
    await import("../worker/main.ts");
  });

program
  .command("migrate")
  .description("bring the database's schema to this release")
  .option("--wait <seconds>", "how long to wait for a database that does not answer", readSeconds, 0)
  .action(async ({ wait }: { wait: number }) => {
    const role = configure({}, ["WINDLASS_DATABASE_URL"]);
    const { migrateDatabase } = await import("./commands/migrate.ts");
    const { applied } = await migrateDatabase(role, wait);
    print(applied === 0 ? "the schema is up to date" : `${applied} migrations applied`);
  });

program
  .command("rotate-keys")
  .description("store variables and connections under the first of WINDLASS_ENCRYPTION_KEYS")
  .action(async () => {
    const role = configure({}, ["WINDLASS_DATABASE_URL", "WINDLASS_ENCRYPTION_KEYS"]);
    const { openStore } = await import("./compose.ts");
    const { createSealer } = await import("../store/sealing.ts");
    const { rotateKeys } = await import("../store/rotate-keys.ts");
    const { db } = openStore(role, role.configuration.WINDLASS_DATABASE_URL ?? "", "rotate-keys");
    try {
      const moved = await rotateKeys(db, createSealer(role.configuration.WINDLASS_ENCRYPTION_KEYS ?? []));
      print(`${moved.variables} variables and ${moved.connections} connections moved to the current key`);
    } finally {
      await db.close();
    }
  });

program
  .command("doctor")
  .description("check configuration, database, API and Kubernetes permissions, and say what to do; changes nothing")
  .option("--output <format>", "text or json", "text")
  .action(async ({ output }: { output: string }) => {
    const format = readFormat(output);
    const { runDoctor } = await import("./commands/doctor.ts");
    process.exitCode = await runDoctor({ environment: process.env, output: format }, print);
  });

program
  .command("init")
  .description("make a folder for DAG files, with types for the compiler and the editor")
  .argument("<dir>", "the folder; what it holds already is kept")
  .action(async (dir: string) => {
    const { initFolder } = await import("./commands/init.ts");
    const { written, kept } = await initFolder(dir);
    for (const path of written) print(`wrote ${path}`);
    for (const path of kept) print(`kept  ${path}`);
  });

interface DagsTestFlags {
  params: string;
  dag?: string;
  secrets?: string;
  answer: string[];
  event: string[];
  callbacks: boolean;
  output: string;
}

const dags = program.command("dags").description("work with DAG files");

dags
  .command("test")
  .description("run a DAG in this process, without Postgres or a cluster")
  .argument("<file>", "the DAG file")
  .option("--params <json>", "the run's params, as a JSON object", "{}")
  .option("--dag <id>", "which DAG, when the file has several")
  .option("--secrets <file>", "a JSON file with the variables and connections that the tasks declare")
  .option("--answer <task=option...>", "what a person answers to a task that asks", [])
  .option("--event <task=json...>", "the event that a task waits for", [])
  .option("--no-callbacks", "do not call the callbacks that fall due")
  .option("--output <format>", "text or json", "text")
  .action(async (file: string, options: DagsTestFlags) => {
    const output = readFormat(options.output);
    // Authors' tasks write where they like; stdout is for the answer alone.
    const answer = process.stdout.write.bind(process.stdout);
    process.stdout.write = process.stderr.write.bind(process.stderr);
    const { testDag } = await import("./commands/dags-test.ts");
    const { params, dag: dagId = null, secrets = null, answer: answers, event: events, callbacks } = options;
    const code = await testDag(
      { file, params, dagId, secrets, answers, events, callbacks, output },
      (text) => void answer(`${text}\n`),
    );
    // A task that was abandoned at its timeout may still hold the process.
    process.exit(code);
  });

dags
  .command("lint")
  .description("check DAG files and their types before they are deployed; ends with 1 when something is found")
  .argument("[files...]", "files and folders", ["."])
  .option("--no-types", "do not ask the TypeScript compiler")
  .option("--output <format>", "text or json", "text")
  .action(async (files: string[], options: { types: boolean; output: string }) => {
    const output = readFormat(options.output);
    const { lintDags } = await import("./commands/dags-lint.ts");
    process.exitCode = await lintDags(files, { types: options.types, output }, print);
  });

addSecretCommands(program, { readConfiguration: () => configure().configuration, print });
addAssetCommands(program, { readConfiguration: () => configure().configuration, print });
addPoolCommands(program, { readConfiguration: () => configure().configuration, print });
addScheduleCommands(program, dags, { readConfiguration: () => configure().configuration, readFormat, print });
addInterventionCommands({ program, dags, readSettings: () => configure().configuration, readFormat, print });

try {
  await program.parseAsync();
} catch (error) {
  // A command may have set its own code for trouble.
  process.exitCode = Math.max(report(error), Number(process.exitCode ?? 0));
}

/** Prints what went wrong, in one line where it can be; returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has printed its own, and help is no error.
    if (error.code.startsWith("windlass.")) process.stderr.write(`windlass: ${error.message}\n`);
    return error.exitCode === 0 ? 0 : 2;
  }
  process.stderr.write(`windlass: ${messageOf(error)}\n`);
  if (!isFailure(error)) {
    if (error instanceof Error && error.stack) process.stderr.write(`${error.stack}\n`);
    return 1;
  }
  return USAGE_CODES.has(error.code) ? 2 : 1;
}
