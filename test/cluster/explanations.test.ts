// What a person is told of a task that the cluster does not run, or has stopped, on the real kubelet: one sentence each,
// from the API. Printed, because a sentence is judged by reading it.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ExplanationAnswer, explanationAnswer } from "../../src/contract/rest-explain.ts";
import type { PodView } from "../../src/kubernetes/pod-view.ts";
import { call } from "../support/api-server.ts";
import { killComponent, ownsCluster, startComponent } from "./support/harness.ts";
import { pollUntil } from "./support/poll.ts";
import { keepSpareNode } from "./support/spare-node.ts";
import { startWindlass, type Windlass } from "./support/windlass.ts";

const NODE_LIMIT_MS = 120_000;

/** Tasks whose pods leave a node that is not ready at once, in place of the five minutes that are the default. */
const TASKS = `
import { dag, task } from "windlass";

// Gone at once when its pod has to leave.
const wait = (_: object, { signal }: { signal: AbortSignal }) =>
  new Promise<void>((wake, stop) => {
    const timer = setTimeout(wake, 600_000);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      stop(new Error("told to stop"));
    });
  });
const tolerations = ["not-ready", "unreachable"].map((state) => ({
  key: "node.kubernetes.io/" + state, operator: "Exists" as const, effect: "NoExecute" as const, tolerationSeconds: 0,
}));

const huge = task("huge", { pod: { resources: { requests: { cpu: "1000" } } } }, wait);
const moved = task("moved", wait);
const stranded = task("stranded", { pod: { spec: { tolerations } } }, wait);
const hungry = task("hungry", { pod: { resources: { limits: { memory: "96Mi" } } } }, async () => {
  const kept: Buffer[] = [];
  for (;;) {
    kept.push(Buffer.alloc(8 * 1024 * 1024, 1));
    await new Promise((wake) => setTimeout(wake, 5));
  }
});
const unknown = task("unknown", { pod: { image: "localhost/there-is-no:such-image" } }, wait);
const proxied = task("proxied", { pod: { spec: { initContainers: [{
  name: "proxy", restartPolicy: "Always", image: "IMAGE",
  command: ["node", "-e", "console.error('no certificate'); process.exit(3)"], terminationMessagePolicy: "FallbackToLogsOnError",
}] } } }, wait);
const mounted = task("mounted", { pod: { spec: {
  volumes: [{ name: "keys", secret: { secretName: "there-is-none" } }],
  containers: [{ name: "base", volumeMounts: [{ name: "keys", mountPath: "/keys" }] }],
} } }, wait);
`;
const NAMES = ["huge", "moved", "stranded", "hungry", "unknown", "proxied", "mounted"];

let windlass: Windlass;
beforeAll(async () => {
  windlass = await startWindlass({ env: { WINDLASS_IMAGE_TIMEOUT: "5", WINDLASS_INFRASTRUCTURE_RETRIES: "0" } });
  // A file for each, so that each run holds one task.
  for (const name of NAMES) {
    const source = `${TASKS.replaceAll("IMAGE", windlass.image)}\nexport default dag("explain_${name}", {}, () => void ${name}());\n`;
    await writeFile(join(windlass.dagsFolder, `${name}.ts`), source);
  }
  await windlass.startScheduler();
  for (const name of NAMES) await windlass.waitForDag(`explain_${name}`);
});
afterAll(() => windlass?.stop());

interface Subject {
  /** Until its explanation fits, which is printed. */
  explain(fits: (answer: ExplanationAnswer) => boolean, limitMs?: number): Promise<ExplanationAnswer>;
  /** Its pod, once it fits. */
  pod(fits: (pod: PodView) => boolean, limitMs?: number): Promise<PodView>;
}

async function run(name: string): Promise<Subject> {
  const dagId = `explain_${name}`;
  const runId = await windlass.trigger(dagId);
  const path = `/api/v2/dags/${dagId}/dagRuns/${encodeURIComponent(runId)}/taskInstances/${name}/explain`;
  return {
    explain: async (fits, limitMs = 60_000) => {
      const answer = await pollUntil(
        () => windlass.rest.get(path, explanationAnswer),
        fits,
        (last) => `${name}: ${last.cause}: ${last.sentence}`,
        limitMs,
      );
      process.stdout.write(`${name}: ${answer.sentence}\n`);
      return answer;
    },
    pod: async (fits, limitMs = 60_000) => {
      const find = async () => (await windlass.listPods()).find((pod) => pod.name.startsWith(`explain-${name}-`));
      const pod = await pollUntil(
        find,
        (found) => found !== undefined && fits(found),
        (found) => `the pod of ${name} is ${found?.snapshot.phase ?? "not there"}`,
        limitMs,
      );
      if (pod === undefined) throw new Error("a pod that fits is there");
      return pod;
    },
  };
}

const runs = (pod: PodView) => pod.snapshot.containers.some(({ state }) => state.kind === "running");
const isOver = ({ state }: ExplanationAnswer) => state === "failed";

describe("one sentence says", () => {
  it("that no node can take the pod, what it lacks, and what to do", async () => {
    const { explain } = await run("huge");
    const { sentence } = await explain(({ cause }) => cause === "unschedulable");
    expect(sentence).toMatch(/^Task "huge" waits .*Insufficient cpu.*ask for less\.$/);
  });

  it("that the image is not there", async () => {
    const { sentence, cause } = await (await run("unknown")).explain(isOver);
    expect(cause).toBe("image_error");
    expect(sentence).toContain("localhost/there-is-no:such-image");
  });

  it("that a sidecar keeps ending, how, and what it said", async () => {
    const { explain } = await run("proxied");
    const { sentence } = await explain(({ cause }) => cause === "configuration");
    expect(sentence).toMatch(/sidecar "proxy" keeps ending before .*last with exit code 3: no certificate/);
  });

  it("that a volume is missing something", async () => {
    const { explain } = await run("mounted");
    const { sentence } = await explain(({ sentence: said }) => said.includes("FailedMount"));
    expect(sentence).toMatch(/is preparing the pod's volumes and network.*"there-is-none" not found/);
  });

  it("that the task reached its memory limit, and which one that is", async () => {
    const { sentence, cause } = await (await run("hungry")).explain(isOver);
    expect(cause).toBe("out_of_memory");
    expect(sentence).toContain("96Mi");
  });

  it("that a drain moved the pod away, by name of the node", async () => {
    const { explain, pod } = await run("moved");
    const { name } = await pod(runs);
    await explain(({ state }) => state === "running");
    const path = `/api/v1/namespaces/${windlass.namespace}/pods/${name}/eviction`;
    await call(windlass.kubernetes, "POST", path, { apiVersion: "policy/v1", kind: "Eviction", metadata: { name } });
    const { sentence, cause, infrastructure_failures } = await explain(isOver);
    expect({ cause, infrastructure_failures }).toEqual({ cause: "drained", infrastructure_failures: 1 });
    expect(sentence).toMatch(/moved away from node \S+, as a drain does/);
  });

  it.skipIf(!ownsCluster)("that the node is not ready, and that its pods had to leave", async () => {
    const { explain, pod } = await run("stranded");
    await pod(runs);
    await explain(({ state }) => state === "running");
    const spare = await keepSpareNode(windlass.kubernetes);
    await killComponent("kubelet");
    try {
      // The node controller waits for 50 s of silence.
      await pod(({ snapshot }) => snapshot.deletion_requested_at !== null, NODE_LIMIT_MS);
      await explain(() => true);
    } finally {
      await startComponent("kubelet");
      await spare.stop();
    }
    const { sentence, cause, infrastructure_failures } = await explain(isOver, NODE_LIMIT_MS);
    expect(["drained", "node_lost"]).toContain(cause);
    expect(infrastructure_failures).toBe(1);
    expect(sentence).toMatch(/[Nn]ode \S+ (was tainted|became unavailable)/);
  });
});
