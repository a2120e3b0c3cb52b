// Which cluster `make cluster` makes. Docker and kind are stand-ins that write down how they were called: what they do is theirs.

import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";

const LOCAL = join(import.meta.dirname, "cluster/local");
let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "windlass-local-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function addCommand(name: string, script: string): Promise<void> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\necho "${name} $*" >> "${folder}/calls"\n${script}\n`);
  await chmod(path, 0o755);
}

function run(...args: string[]) {
  const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder, CLUSTER_HOME: folder };
  return spawnSync(LOCAL, args, { encoding: "utf8", env });
}

const calls = async () => (await readFile(join(folder, "calls"), "utf8")).trim().split("\n");

test("where Docker runs it is kind's, made once, with the image built and loaded", async () => {
  await addCommand("docker", "exit 0");
  await addCommand(
    "kind",
    `case "$1" in get) cat "${folder}/clusters" 2>/dev/null;; create) cat > /dev/null; echo windlass > "${folder}/clusters";; esac`,
  );
  expect(run("up").status).toBe(0);
  expect(run("up").status).toBe(0);
  expect(run("image").status).toBe(0);
  expect(run("env").stdout).toBe(`export KUBECONFIG=${folder}/kind.kubeconfig\n`);
  expect(run("down").status).toBe(0);
  const made = (await calls()).filter((call) => !/^docker info|^kind get/.test(call));
  const root = join(LOCAL, "..");
  const named = `--name windlass --kubeconfig ${folder}/kind.kubeconfig`;
  expect(made).toEqual([
    `kind create cluster ${named} --wait 3m --config -`,
    `kind export kubeconfig ${named}`,
    `kind export kubeconfig ${named}`,
    `docker build -q -t localhost/windlass:test ${root}/../..`,
    "kind load docker-image localhost/windlass:test --name windlass",
    `kind delete cluster ${named}`,
  ]);
});

test.each(["a docker that does not answer", "no docker"])("with %s it is the project's own", async (what) => {
  if (what !== "no docker") await addCommand("docker", "exit 1");
  expect(run("env").stdout).toContain(`export KUBECONFIG=${folder}/run/admin.kubeconfig`);
});
