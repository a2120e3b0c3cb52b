// `windlass variables`, `windlass connections`: what tasks read, managed through the API; `windlass rotate-keys` works on the
// database itself. A value that is not given as an argument is read from stdin, so that it stays out of the shell's history.

import { text } from "node:stream/consumers";
import { type Command, InvalidArgumentError, Option } from "commander";
import { z } from "zod";
import { connectionAnswer, connectionsAnswer, variableAnswer, variablesAnswer } from "../../contract/rest-variables.ts";
import { failure, isFailure, messageOf } from "../../core/errors.ts";
import type { CommandLine } from "../command-line.ts";
import { connectApi } from "../connect-api.ts";
import type { RestClient } from "../rest-client.ts";

const PAGE = 1_000;

const output = () => new Option("--output <format>", "text or json").choices(["text", "json"]).default("text");
const place = (kind: "variables" | "connections", id: string) => `/api/v2/${kind}/${encodeURIComponent(id)}`;

export function addSecretCommands(program: Command, { readConfiguration, print }: CommandLine): void {
  const connect = () => connectApi(readConfiguration());
  addVariableCommands(program, connect, print);
  addConnectionCommands(program, connect, print);
}

type Connect = () => Promise<RestClient>;
type Print = CommandLine["print"];

function addVariableCommands(program: Command, connect: Connect, print: Print): void {
  const variables = program.command("variables").description("what tasks read by name, stored encrypted");
  variables
    .command("list")
    .description("list them; secret values are not shown")
    .addOption(output())
    .action(async (options: { output: string }) => {
      const client = await connect();
      const found = await readAll(async (offset) => {
        const page = await client.get(`/api/v2/variables?limit=${PAGE}&offset=${offset}`, variablesAnswer);
        return { rows: page.variables, total: page.total_entries };
      });
      if (options.output === "json") return print(JSON.stringify(found));
      for (const { key, value, description } of found) {
        print(`${key}\t${value ?? "(secret)"}${description === null ? "" : `\t${description}`}`);
      }
    });
  variables
    .command("set")
    .description("create or change one")
    .argument("<key>")
    .argument("[value]", "without it, it is read from stdin")
    .option("--plain", "not a secret: shown by the API and in logs")
    .option("--description <text>")
    .action(async (key: string, given: string | undefined, options: { plain?: true; description?: string }) => {
      const client = await connect();
      const value = given ?? (await text(process.stdin)).replace(/\r?\n$/, "");
      const changes = {
        value,
        is_secret: options.plain !== true,
        ...(options.description === undefined ? {} : { description: options.description }),
      };
      await createOrChange(client, "variables", key, { key, ...changes }, changes, variableAnswer);
      print(`variable ${key} is set`);
    });
  variables
    .command("delete")
    .description("delete one")
    .argument("<key>")
    .action(async (key: string) => {
      await (await connect()).delete(place("variables", key));
      print(`variable ${key} is deleted`);
    });
}

interface ConnectionOptions {
  type?: string;
  host?: string;
  port?: number;
  login?: string;
  schema?: string;
  passwordStdin?: true;
  extra?: object;
  extraStdin?: true;
  description?: string;
}

function addConnectionCommands(program: Command, connect: Connect, print: Print): void {
  const connections = program.command("connections").description("where systems are and how tasks sign in to them");
  connections
    .command("list")
    .description("list them; passwords and extra are not shown")
    .addOption(output())
    .action(async (options: { output: string }) => {
      const client = await connect();
      const found = await readAll(async (offset) => {
        const page = await client.get(`/api/v2/connections?limit=${PAGE}&offset=${offset}`, connectionsAnswer);
        return { rows: page.connections, total: page.total_entries };
      });
      if (options.output === "json") return print(JSON.stringify(found));
      for (const { connection_id, conn_type, host, port } of found) {
        print(`${connection_id}\t${conn_type}\t${host ?? ""}${port === null ? "" : `:${port}`}`);
      }
    });
  connections
    .command("set")
    .description("create or change one; what is left out stays")
    .argument("<id>")
    .option("--type <type>", "its kind of system, e.g. postgres; needed for a new one")
    .option("--host <host>")
    .option("--port <port>", "", readPort)
    .option("--login <login>")
    .option("--schema <schema>", "which database")
    .option("--password-stdin", "read the password from stdin")
    .option("--extra <json>", "what else it needs, as a JSON object", readObject)
    .option("--extra-stdin", "read that from stdin")
    .option("--description <text>")
    .action(async (id: string, options: ConnectionOptions) => {
      const client = await connect();
      const { type, passwordStdin, extraStdin, ...rest } = options;
      if (passwordStdin && extraStdin) {
        throw failure(
          "invalid_request",
          "stdin holds one thing: give --password-stdin and --extra-stdin one after the other",
        );
      }
      const changes = {
        ...rest,
        ...(type === undefined ? {} : { conn_type: type }),
        ...(passwordStdin ? { password: (await text(process.stdin)).replace(/\r?\n$/, "") } : {}),
        ...(extraStdin ? { extra: readObject(await text(process.stdin)) } : {}),
      };
      const created = type === undefined ? null : { connection_id: id, ...changes };
      await createOrChange(client, "connections", id, created, changes, connectionAnswer);
      print(`connection ${id} is set`);
    });
  connections
    .command("delete")
    .description("delete one")
    .argument("<id>")
    .action(async (id: string) => {
      await (await connect()).delete(place("connections", id));
      print(`connection ${id} is deleted`);
    });
}

/** @param created null: too little was given for a new one */
async function createOrChange(
  client: RestClient,
  kind: "variables" | "connections",
  id: string,
  created: object | null,
  changes: object,
  answer: z.ZodType,
): Promise<void> {
  try {
    await client.patch(place(kind, id), changes, answer);
  } catch (error) {
    if (!isFailure(error, "not_found")) throw error;
    if (created === null) throw failure("invalid_request", `${messageOf(error)}; give --type to create it`);
    await client.post(`/api/v2/${kind}`, created, answer);
  }
}

async function readAll<Row>(readPage: (offset: number) => Promise<{ rows: Row[]; total: number }>): Promise<Row[]> {
  const found: Row[] = [];
  for (;;) {
    const { rows, total } = await readPage(found.length);
    found.push(...rows);
    if (rows.length === 0 || found.length >= total) return found;
  }
}

function readPort(given: string): number {
  const port = Number(given);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError("Give a port from 1 to 65535.");
}

function readObject(given: string): object {
  try {
    return z.record(z.string(), z.json()).parse(JSON.parse(given));
  } catch {
    // Not what was given: it may hold what nobody should see.
    throw failure("invalid_request", `extra is no JSON object; an example is --extra '{"region":"eu-west-1"}'`);
  }
}
