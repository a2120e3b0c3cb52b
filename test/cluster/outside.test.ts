// The scheduler outside of the cluster, with a kubeconfig of somebody who may do no more than it needs, and at first nothing;
// the examples kubernetes_executor and kubernetes_pipeline run by it, in a namespace that enforces Pod Security "restricted".

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { explanationAnswer } from "../../src/contract/rest-explain.ts";
import { resultAnswer } from "../../src/contract/rest-task-instances.ts";
import { NEEDED_PERMISSIONS } from "../../src/kubernetes/permissions.ts";
import { connect } from "../support/api-server.ts";
import { runCommand } from "../support/command.ts";
import { createLimitedUser, type LimitedUser } from "./support/limited-user.ts";
import { type PodRecorder, type RecordedPod, recordPods } from "./support/pod-recorder.ts";
import type { Process } from "./support/processes.ts";
import { kubectl, nextImage, restrictNamespace } from "./support/release.ts";
import { startWindlass, type Windlass } from "./support/windlass.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));
const COMMAND = fileURLToPath(new URL("../../bin/windlass", import.meta.url));

const http = connect();
let windlass: Windlass;
let user: LimitedUser;
let scheduler: Process;
let pods: PodRecorder;

/** Copies an example, with images that this cluster has. */
async function bring(file: string, replacements: Record<string, string>, name = file): Promise<void> {
  let text = (await readFile(join(EXAMPLES, file), "utf8")).replaceAll('"@daily"', "null");
  for (const [from, to] of Object.entries(replacements)) text = text.replaceAll(from, to);
  await writeFile(join(windlass.dagsFolder, name), text);
}

beforeAll(async () => {
  windlass = await startWindlass();
  const { namespace, image } = windlass;
  await restrictNamespace(http, namespace);
  [user, pods] = await Promise.all([createLimitedUser(namespace), recordPods(namespace)]);
  const secret = ["create", "secret"];
  await kubectl(
    namespace,
    ...secret,
    "generic",
    "pipeline-credentials",
    '--from-literal=credentials.json={"user":"ana"}',
  );
  const login = ["--docker-server=localhost", "--docker-username=ana", "--docker-password=x"];
  await kubectl(namespace, ...secret, "docker-registry", "registry-credentials", ...login);
  const own = "registry.example.com/windlass:0.1.0";
  const withZip = "registry.example.com/windlass-zip:1";
  await bring("kubernetes_executor.ts", { [own]: image, [withZip]: nextImage ?? image });
  const withoutZip = { [own]: image, [withZip]: image, '"kubernetes_executor"': '"without_zip"' };
  await bring("kubernetes_executor.ts", withoutZip, "without_zip.ts");
  // An image that was loaded into the node cannot be pulled anew.
  await bring("kubernetes_pipeline.ts", { "node:26-bookworm-slim": image, '"Always"': '"IfNotPresent"' });
});
afterAll(async () => {
  await pods?.stop();
  user?.remove();
  await windlass?.stop();
  await http.close();
});

async function run(dagId: string) {
  await windlass.waitForDag(dagId);
  const runId = await windlass.trigger(dagId);
  const { run: ended, tasks } = await windlass.waitForRun(dagId, runId);
  const path = `/api/v2/dags/${dagId}/dagRuns/${encodeURIComponent(runId)}/taskInstances`;
  return {
    state: ended.state,
    tasks: Object.fromEntries(tasks.map(({ task_id, state }) => [task_id, state])),
    log: (taskId: string) => windlass.readLog(dagId, runId, taskId, 1),
    explain: async (taskId: string) =>
      (await windlass.rest.get(`${path}/${taskId}/explain`, explanationAnswer)).sentence,
    result: async (taskId: string) =>
      (await windlass.rest.get(`${path}/${taskId}/xcomEntries/return_value`, resultAnswer)).value,
  };
}

/** The newest pod of a task, and its main container. */
function podOf(taskId: string): { pod: RecordedPod; base: RecordedPod["spec"]["containers"][number] } {
  const pod = pods.ofTask(taskId).at(-1);
  const base = pod?.spec.containers.find(({ name }) => name === "base");
  if (!pod || !base) throw new Error(`no pod of ${taskId} was seen`);
  return { pod, base };
}

it("without a Role, names each missing permission in its log, in doctor and in explain, and goes on once it is there", async () => {
  const { namespace } = windlass;
  scheduler = await windlass.startScheduler({ WINDLASS_KUBECONFIG: user.kubeconfig });
  const said = await scheduler.waitForLine("missing as (verb, resource, namespace)");
  for (const { verb, resource } of NEEDED_PERMISSIONS) expect(said).toContain(`(${verb}, ${resource}, ${namespace})`);
  expect(await scheduler.waitForLine("forbids watching pods")).toContain(`cannot list resource \\"pods\\"`);

  const environment = {
    WINDLASS_EXECUTOR: "kubernetes",
    WINDLASS_KUBECONFIG: user.kubeconfig,
    WINDLASS_NAMESPACES: namespace,
  };
  const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const doctor = () => runCommand("env", [...settings, COMMAND, "doctor"]);
  const before = await doctor();
  expect(before.code).toBe(1);
  expect(before.stdout).toContain(`(create, pods, ${namespace})`);

  const refused = await run("kubernetes_executor");
  expect(refused.tasks).toMatchObject({ start_task: "failed", one_task: "upstream_failed" });
  const sentence = await refused.explain("start_task");
  process.stdout.write(`${sentence}\n`);
  expect(sentence).toContain(`create pods in namespace "${namespace}"`);
  expect(sentence).toContain(
    `bind a Role in namespace "${namespace}" with the rule {apiGroups: [""], resources: [pods], verbs: [create]}`,
  );

  await user.grant();
  const after = await doctor();
  expect(after.stdout).toContain("all that the executor needs is allowed");
  expect((await run("kubernetes_pipeline")).state).toBe("success");
});

it("runs tasks whose pods differ, each as its author wrote it", async () => {
  const { state, tasks, log } = await run("kubernetes_executor");
  expect({ state, tasks }).toMatchObject({ state: "success" });
  expect(podOf("start_task").base.image).toBe(windlass.image);
  expect(podOf("one_task").base.image).toBe(windlass.image);
  const { pod, base } = podOf("three_task");
  expect(base).toMatchObject({ resources: { limits: { memory: "128Mi" }, requests: { memory: "64Mi" } } });
  expect(pod.spec["tolerations"]).toContainEqual({ key: "dedicated", operator: "Equal", value: "airflow" });
  expect(pod.spec["affinity"]).toMatchObject({
    podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "kubernetes.io/hostname" }] },
  });
  if (nextImage) {
    expect(podOf("two_task").base.image).toBe(nextImage);
    expect(await log("two_task")).toContain("Info-ZIP");
  }
});

it("explains the task whose image lacks its program", async () => {
  const { tasks, explain } = await run("without_zip");
  expect(tasks).toMatchObject({ one_task: "success", two_task: "failed", three_task: "success" });
  const sentence = await explain("two_task");
  process.stdout.write(`${sentence}\n`);
  expect(sentence).toContain("spawnSync zip ENOENT");
});

it("runs a container, and prints downstream what it has made", async () => {
  const { state, log } = await run("kubernetes_pipeline");
  expect(state).toBe("success");
  expect(podOf("extract").base).toMatchObject({
    image: windlass.image,
    args: ["--", "--table", "orders"],
    resources: { requests: { cpu: "100m", memory: "256Mi" } },
  });
  expect(await log("extract")).toContain("extracting");
  expect(await log("print")).toMatch(/\d rows/);
  await windlass.waitForNoPods();
});

it("mounts a Secret as a file, read-only, and passes arguments and environment", async () => {
  const { state, log } = await run("kubernetes_pipeline_files");
  expect(state).toBe("success");
  expect(await log("transform")).toContain("ana copied /etc/passwd to /tmp/output");
  const { pod, base } = podOf("transform");
  expect(pod.spec.volumes).toMatchObject([{ name: "credentials", secret: { secretName: "pipeline-credentials" } }]);
  expect(base).toMatchObject({
    args: ["--", "--input", "/etc/passwd", "--output", "/tmp/output"],
    env: [{ name: "CREDENTIALS", value: "/var/secrets/credentials.json" }],
    volumeMounts: [{ name: "credentials", mountPath: "/var/secrets", readOnly: true }],
  });
});

it("runs many of a kind with pull secrets, so many at once as the DAG allows", async () => {
  const { state, result } = await run("kubernetes_pipeline_scaled");
  expect(state).toBe("success");
  expect(await result("add")).toBe(10);
  for (const number of [1, 2, 3, 4])
    expect(podOf(`part_${number}`).pod.spec).toMatchObject({ imagePullSecrets: [{ name: "registry-credentials" }] });
});
