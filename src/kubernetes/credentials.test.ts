import { chmod, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { createFastClock } from "../../test/support/fast-clock.ts";
import { type Clock, systemClock } from "../lifecycle/clock.ts";
import { createLogger } from "../lifecycle/log.ts";
import { cacheCredentials } from "./credentials.ts";
import { kubeconfigCredentials } from "./kubeconfig.ts";

const log = createLogger("silent");

function makeSource() {
  let monotonic = 0;
  let loads = 0;
  let broken = false;
  const stale: unknown[] = [];
  const clock: Clock = { ...systemClock, monotonic: () => monotonic };
  const source = cacheCredentials({
    clock,
    maxAgeMs: 60_000,
    onStale: (error) => stale.push(error),
    load: async () => {
      if (broken) throw new Error("no such file");
      loads += 1;
      return { server: "https://server", tls: {}, headers: { authorization: `Bearer ${loads}` } };
    },
  });
  return { source, stale, loads: () => loads, pass: (ms: number) => (monotonic += ms), breakIt: () => (broken = true) };
}

test("credentials are loaded once a minute", async () => {
  const { source, loads, pass } = makeSource();
  await Promise.all([source.current(), source.current()]);
  pass(59_999);
  await source.current();
  expect(loads()).toBe(1);
  pass(1);
  expect((await source.current()).headers).toEqual({ authorization: "Bearer 2" });
});

test("many refusals of the same credentials are one renewal", async () => {
  const { source, loads } = makeSource();
  const refused = await source.current();
  const renewed = await Promise.all(Array.from({ length: 50 }, () => source.renew(refused)));
  expect(loads()).toBe(2);
  expect(new Set(renewed).size).toBe(1);
  expect(await source.renew(refused)).toBe(renewed[0]);
  expect(loads()).toBe(2);
});

test("a reload that fails keeps the old credentials and says so", async () => {
  const { source, stale, pass, breakIt } = makeSource();
  const held = await source.current();
  breakIt();
  pass(60_000);
  expect(await source.current()).toBe(held);
  expect(stale).toHaveLength(1);
  await expect(source.renew(held)).rejects.toThrow("no such file");
});

async function writePlugin(script: (folder: string) => string) {
  const directory = await mkdtemp(join(tmpdir(), "plugin-"));
  const plugin = join(directory, "plugin");
  await writeFile(plugin, `#!/bin/sh\n${script(directory)}\n`);
  await chmod(plugin, 0o755);
  const kubeconfigPath = join(directory, "config");
  await writeFile(
    kubeconfigPath,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server: "https://far.example:6443/base" } }],
      users: [{ name: "u", user: { exec: { apiVersion: "client.authentication.k8s.io/v1", command: plugin } } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    }),
  );
  return { kubeconfigPath, directory };
}

test.each([
  ["hangs", () => "exec sleep 5", /took more than a minute/],
  ["fails", () => "echo no >&2; exit 3", /./],
])("an exec plugin that %s is run once for a hundred calls, and its end is theirs", async (_, script, message) => {
  const { kubeconfigPath, directory } = await writePlugin((folder) => `echo run >> ${folder}/count\n${script()}`);
  const source = kubeconfigCredentials({ kubeconfigPath }, createFastClock(60), log);
  const calls = await Promise.allSettled(Array.from({ length: 100 }, () => source.current()));
  for (const call of calls) {
    expect(call).toMatchObject({
      status: "rejected",
      reason: expect.objectContaining({ message: expect.stringMatching(message) }),
    });
  }
  expect((await readFile(join(directory, "count"), "utf8")).trim().split("\n")).toHaveLength(1);
});

test("an exec plugin that is slow is run once for a hundred calls, and they all wait for it", async () => {
  const { kubeconfigPath, directory } = await writePlugin(
    (folder) =>
      `echo run >> ${folder}/count\nsleep 0.3\necho '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"t"}}'`,
  );
  const source = kubeconfigCredentials({ kubeconfigPath }, systemClock, log);
  const calls = await Promise.all(Array.from({ length: 100 }, () => source.current()));
  expect(new Set(calls.map(({ headers }) => headers["authorization"]))).toEqual(new Set(["Bearer t"]));
  expect((await readFile(join(directory, "count"), "utf8")).trim().split("\n")).toHaveLength(1);
});

test("a kubeconfig's exec plugin is run again after a refusal, once", async () => {
  const { kubeconfigPath } = await writePlugin((folder) => {
    const count = join(folder, "count");
    return `echo run >> ${count}\necho '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"t'$(wc -l < ${count} | tr -d ' ')'"}}'`;
  });
  const source = kubeconfigCredentials({ kubeconfigPath }, systemClock, log);
  const first = await source.current();
  expect(first).toMatchObject({ server: "https://far.example:6443/base", headers: { authorization: "Bearer t1" } });
  const renewed = await Promise.all([source.renew(first), source.renew(first)]);
  expect(renewed.map((each) => each.headers["authorization"])).toEqual(["Bearer t2", "Bearer t2"]);
});

test("a kubeconfig that is missing is a wrong setting, by name", async () => {
  const source = kubeconfigCredentials({ kubeconfigPath: "/does/not/exist" }, systemClock, log);
  await expect(source.current()).rejects.toMatchObject({
    code: "invalid_configuration",
    message: expect.stringContaining("/does/not/exist"),
  });
});

test("a kubeconfig that is no YAML is not quoted, for it holds credentials", async () => {
  const kubeconfigPath = join(await mkdtemp(join(tmpdir(), "kubeconfig-")), "config");
  await writeFile(kubeconfigPath, "users:\n- name: a\n  user: {token: SECRET\n  x: [");
  const error: unknown = await kubeconfigCredentials({ kubeconfigPath }, systemClock, log)
    .current()
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "invalid_configuration", message: expect.stringContaining("(4:3)") });
  expect(inspect(error, { depth: 5 })).not.toContain("SECRET");
});
