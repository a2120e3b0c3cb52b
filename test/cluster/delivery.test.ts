// DAGs by the image, a volume and a git repository, in a namespace that enforces Pod Security "restricted"; the other two
// ways are in install.test.ts. On a cluster that cannot pull git-sync, its stand-in (git-sync-stand-in.ts) is the sidecar:
// then the tests show how the chart wires it and what the scheduler makes of its folders, and nothing about git-sync.

import { mkdtempSync, rmSync, writeFileSync, chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RestClient } from "../../src/cli/rest-client.ts";
import { dagAnswer } from "../../src/contract/rest-dags.ts";
import { connect } from "../support/api-server.ts";
import { mustRun, runCommand } from "../support/command.ts";
import { type GitServer, startGitServer } from "./support/git-server.ts";
import { ownsCluster } from "./support/harness.ts";
import { deleteNamespace } from "./support/pods.ts";
import { pollUntil } from "./support/poll.ts";
import {
  createRestrictedNamespace,
  type Forward,
  forwardPort,
  gitImage,
  imageValues,
  kubectl,
  nextImage,
  runHelm,
  signInWith,
  splitImage,
} from "./support/release.ts";
import { triggerRun, waitForDag, waitForRun } from "./support/runs.ts";
import { startSshServer } from "./support/ssh-server.ts";
import { findNodeIp } from "./support/windlass.ts";

const RELEASE = "windlass";
const SCHEDULER = `deployment/${RELEASE}-scheduler`;

const http = connect();
const forwards: Forward[] = [];
let namespace = "";
let rest: RestClient;
let git: GitServer;

/** A DAG of two files, each of which says from which change it is. */
const filesOf = (dagId: string, change: string) => ({
  [`${dagId}.ts`]: `import { dag, task } from "windlass";
import { other } from "./of_${dagId}.ts";
const hello = task("hello", () => "${change}");
export default dag("${dagId}", { description: "${change}/" + other }, () => { hello(); });
`,
  [`of_${dagId}.ts`]: `export const other = "${change}";\n`,
});

const inFolder = (folder: string, files: Record<string, string>) =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [`${folder}/${path}`, text]));

beforeAll(async () => {
  [namespace, git] = await Promise.all([createRestrictedNamespace(http), startGitServer(await findNodeIp(http))]);
});
afterAll(async () => {
  await Promise.all(forwards.map((one) => one.stop()));
  await git.stop();
  await deleteNamespace(http, namespace);
  await http.close();
});

async function upgrade(values: readonly string[]): Promise<void> {
  await runHelm("upgrade", namespace, RELEASE, values);
}

async function waitForDescription(dagId: string, description: string) {
  await waitForDag(rest, dagId);
  return pollUntil(
    () => rest.get(`/api/v2/dags/${dagId}`, dagAnswer),
    (dag) => dag.description === description && !dag.is_stale,
    (dag) => `${dagId} is of ${dag.description}, not ${description}`,
    30_000,
  );
}

async function expectSuccess(dagId: string): Promise<void> {
  const runId = await triggerRun(rest, dagId);
  const { run, tasks } = await waitForRun(rest, dagId, runId);
  expect({ state: run.state, tasks }).toMatchObject({ state: "success" });
}

async function expectReadOnly(path: string): Promise<void> {
  const write = `require("fs").writeFileSync(${JSON.stringify(path)}, "")`;
  const args = ["--namespace", namespace, "exec", SCHEDULER, "--container", "scheduler", "--", "node", "-e", write];
  expect((await runCommand("kubectl", args)).stderr).toContain("EROFS");
}

/** What every version that was ever made says of itself. */
async function listDescriptions(dagId: string): Promise<string[]> {
  const query = `select definition ->> 'description' from dag_version where dag_id = '${dagId}' order by version_number`;
  const psql = ["psql", "-h", "/var/run/postgresql", "-U", "windlass", "-At", "-c", query];
  return (await kubectl(namespace, "exec", `${RELEASE}-postgresql-0`, "--", ...psql)).trim().split("\n");
}

describe("DAGs come", () => {
  it.skipIf(!nextImage)("in the image", async () => {
    const [repository, tag] = splitImage(nextImage ?? "");
    await runHelm("install", namespace, RELEASE, [
      ...imageValues(),
      `image.repository=${repository}`,
      `image.tag=${tag}`,
      "postgresql.enabled=true",
      "postgresql.persistence.enabled=false",
      "dags.source=image",
    ]);
    // The API needs no files, and stays through all that follows.
    const forward = await forwardPort(namespace, `${RELEASE}-api`);
    forwards.push(forward);
    rest = await signInWith(forward.url, namespace, `${RELEASE}-admin`);
    await waitForDag(rest, "fan_out");
    await expectReadOnly("/opt/windlass/dags/fan_out.ts");
    const runId = await triggerRun(rest, "fan_out", { limit: 4 });
    expect((await waitForRun(rest, "fan_out", runId)).run.state).toBe("success");
  });

  it.skipIf(!ownsCluster || !nextImage)("on a volume, which is read and never written", async () => {
    const folder = mkdtempSync(join(tmpdir(), "windlass-volume-"));
    chmodSync(folder, 0o755);
    const write = (change: string) => {
      for (const [path, text] of Object.entries(filesOf("by_volume", change))) writeFileSync(join(folder, path), text);
    };
    const volume = { name: `dags-${namespace}`, capacity: "1Gi", modes: ["ReadOnlyMany"] };
    const objects = [
      {
        apiVersion: "v1",
        kind: "PersistentVolume",
        metadata: { name: volume.name },
        spec: {
          capacity: { storage: volume.capacity },
          accessModes: volume.modes,
          storageClassName: "",
          hostPath: { path: folder },
          claimRef: { namespace, name: "dags" },
        },
      },
      {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: "dags", namespace },
        spec: {
          accessModes: volume.modes,
          storageClassName: "",
          volumeName: volume.name,
          resources: { requests: { storage: volume.capacity } },
        },
      },
    ];
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
    await mustRun("kubectl", ["apply", "--filename", "-"], list);
    try {
      write("one");
      await upgrade(["dags.source=pvc", "dags.pvc.existingClaim=dags"]);
      await waitForDescription("by_volume", "one/one");
      await expectSuccess("by_volume");
      write("two");
      await waitForDescription("by_volume", "two/two");
      await expectReadOnly("/dags/mine.ts");
    } finally {
      await upgrade(["dags.source=image"]);
      await mustRun("kubectl", ["delete", "persistentvolume", volume.name, "--wait=false"]);
      rmSync(folder, { recursive: true });
    }
  });

  it.skipIf(!gitImage || !nextImage)(
    "from a branch's folder by HTTP with credentials, each version of one commit",
    async () => {
      const [image, tag] = splitImage(gitImage ?? "");
      const first = git.push({ ...inFolder("workflows", filesOf("by_git", "0")), "other/unseen.ts": "not a DAG" });
      git.tag("v1");
      const { username, password } = git;
      const literals = [`--from-literal=username=${username}`, `--from-literal=password=${password}`];
      await kubectl(namespace, "create", "secret", "generic", "git-https", ...literals);
      await upgrade([
        "dags.source=gitSync",
        "dags.subPath=workflows",
        `dags.gitSync.image.repository=${image}`,
        `dags.gitSync.image.tag=${tag}`,
        `dags.gitSync.repo=${git.url}`,
        "dags.gitSync.period=200ms",
        "dags.gitSync.https.existingSecret=git-https",
      ]);
      expect(await waitForDescription("by_git", "0/0")).toMatchObject({ bundle_version: first });
      await expectSuccess("by_git");
      // Some are passed over by the next; none is mixed out of two.
      const pushes = Array.from({ length: 8 }, (_, index) => String(index + 1));
      for (const change of pushes.slice(0, -1)) {
        git.push(inFolder("workflows", filesOf("by_git", change)));
        await rest.get("/api/v2/dags/by_git", dagAnswer);
      }
      const last = git.push(inFolder("workflows", filesOf("by_git", "8")));
      expect(await waitForDescription("by_git", "8/8")).toMatchObject({ bundle_version: last });
      const seen = await listDescriptions("by_git");
      expect(seen.filter((description) => !/^(\d)\/\1$/.test(description))).toEqual([]);
      await expectReadOnly("/dags/repository/workflows/mine.ts");
    },
  );

  it.skipIf(!gitImage || !nextImage)("from a tag and from a commit by ssh, whose host is verified", async () => {
    const commit = git.push(inFolder("workflows", filesOf("by_git", "9")));
    git.push(inFolder("workflows", filesOf("by_git", "10")));
    const repository = await startSshServer(namespace, gitImage ?? "", git);
    const ssh = ["dags.gitSync.https.existingSecret=", "dags.gitSync.ssh.existingSecret=git-ssh"];
    await upgrade([...ssh, `dags.gitSync.repo=${repository}`, "dags.gitSync.ref=v1"]);
    await waitForDescription("by_git", "0/0");
    await upgrade([`dags.gitSync.ref=${commit}`]);
    expect(await waitForDescription("by_git", "9/9")).toMatchObject({ bundle_version: commit });
    await expectSuccess("by_git");
  });
});
