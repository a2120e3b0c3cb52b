import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readCommit } from "./read-commit.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "windlass-commit-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function git(...args: string[]): string {
  const who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"];
  return execFileSync("git", ["-C", folder, ...who, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}

function commit(): string {
  git("commit", "--quiet", "--allow-empty", "--message", "x");
  return git("rev-parse", "HEAD");
}

it("is null outside of a repository, and for a folder that is not there", async () => {
  expect(await readCommit(folder)).toBeNull();
  expect(await readCommit(join(folder, "none"))).toBeNull();
});

it("is the HEAD of a clone, from any folder in it, however its branch is stored", async () => {
  git("init", "--quiet");
  expect(await readCommit(folder)).toBeNull();
  const hash = commit();
  mkdirSync(join(folder, "workflows/team"), { recursive: true });
  expect(await readCommit(join(folder, "workflows/team"))).toBe(hash);
  git("pack-refs", "--all");
  expect(await readCommit(folder)).toBe(hash);
  const next = commit();
  expect(await readCommit(folder)).toBe(next);
  git("checkout", "--quiet", hash);
  expect(await readCommit(folder)).toBe(hash);
});

it("is that of a worktree, not of the repository that it belongs to", async () => {
  git("init", "--quiet");
  const hash = commit();
  commit();
  git("worktree", "add", "--quiet", "--detach", "old", hash);
  expect(await readCommit(join(folder, "old"))).toBe(hash);
  git("worktree", "add", "--quiet", "-b", "side", "side", hash);
  expect(await readCommit(join(folder, "side"))).toBe(hash);
});

it("is the name of git-sync's worktree behind its link", async () => {
  const hash = "0123456789abcdef0123456789abcdef01234567";
  mkdirSync(join(folder, ".worktrees", hash, "workflows"), { recursive: true });
  symlinkSync(join(".worktrees", hash), join(folder, "repository"));
  expect(await readCommit(join(folder, "repository/workflows"))).toBe(hash);
});
