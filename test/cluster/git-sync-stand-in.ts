// NOT git-sync. A stand-in for the part of its contract that the chart uses, for test clusters that cannot pull
// registry.k8s.io/git-sync/git-sync: its flags (any other is refused, so that the chart cannot come to need more unseen), its
// credentials, one worktree for each commit under ROOT/.worktrees/HASH, and a link that is swapped in one step. It shows that
// the chart wires the sidecar right and that the scheduler reads what such a sidecar writes, not that git-sync works.

import { execFile } from "node:child_process";
import { readlinkSync } from "node:fs";
import { readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";

const run = promisify(execFile);
const text = (fallback: string) => ({ type: "string" as const, default: fallback });

const { values } = parseArgs({
  options: {
    repo: text(""),
    ref: text("HEAD"),
    root: text(""),
    link: text(""),
    depth: text("1"),
    period: text("10s"),
    "max-failures": text("0"),
    "http-bind": text(""),
    "ssh-key-file": text("/etc/git-secret/ssh"),
    "ssh-known-hosts": text("true"),
    "ssh-known-hosts-file": text("/etc/git-secret/known_hosts"),
    "one-time": { type: "boolean", default: process.env["GITSYNC_ONE_TIME"] === "true" },
  },
});
if (values.repo === "" || values.root === "" || values.link === "")
  throw new Error("--repo, --root and --link are needed");

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const [, amount = "10", unit = "s"] = /^(\d+)(ms|s|m|h)$/.exec(values.period) ?? [];
const periodMs = Number(amount) * (UNITS[unit] ?? 1_000);
const link = join(values.root, values.link);

const ssh = [
  `ssh -i ${values["ssh-key-file"]}`,
  values["ssh-known-hosts"] === "false"
    ? "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    : `-o StrictHostKeyChecking=yes -o UserKnownHostsFile=${values["ssh-known-hosts-file"]}`,
].join(" ");
const HELPER = '!f() { echo "username=$GITSYNC_USERNAME"; echo "password=$GITSYNC_PASSWORD"; }; f';

async function git(...args: string[]): Promise<string> {
  const credentials = process.env["GITSYNC_USERNAME"] ? ["-c", `credential.helper=${HELPER}`] : [];
  const env = { ...process.env, GIT_SSH_COMMAND: ssh, GIT_TERMINAL_PROMPT: "0" };
  return (await run("git", ["-C", values.root, ...credentials, ...args], { env })).stdout.trim();
}

function current(): string | null {
  try {
    return readlinkSync(link);
  } catch {
    return null;
  }
}

async function sync(): Promise<void> {
  const depth = values.depth === "0" ? [] : ["--depth", values.depth];
  await git("fetch", "--quiet", "--no-tags", ...depth, values.repo, values.ref);
  const hash = await git("rev-parse", "FETCH_HEAD^{commit}");
  const target = join(".worktrees", hash);
  if (current() === target) return;
  await rm(join(values.root, target), { recursive: true, force: true });
  await git("worktree", "prune");
  await git("worktree", "add", "--quiet", "--detach", target, hash);
  // A rename replaces the link in one step: whoever looks sees the old commit or the new one.
  await rm(`${link}.new`, { force: true });
  await symlink(target, `${link}.new`);
  await rename(`${link}.new`, link);
  console.log(`synced ${hash}`);
  const trees = await readdir(join(values.root, ".worktrees"));
  await Promise.all(
    trees.filter((tree) => tree !== hash).map((tree) => rm(join(values.root, ".worktrees", tree), { recursive: true })),
  );
}

await writeFile(join(process.env["HOME"] ?? "/tmp", ".gitconfig"), "[safe]\n\tdirectory = *\n");
await git("init", "--quiet");
if (values["http-bind"] !== "") {
  const port = Number(values["http-bind"].replace(/^.*:/, ""));
  createServer((_request, response) => response.writeHead(current() === null ? 503 : 200).end()).listen(port);
}
for (let failures = 0; ;) {
  try {
    await sync();
    failures = 0;
  } catch (error) {
    failures += 1;
    console.error(error);
    const limit = Number(values["max-failures"]);
    if (limit >= 0 && failures > limit) process.exit(1);
  }
  if (values["one-time"] && failures === 0) break;
  await sleep(periodMs);
}
process.exit(0);
