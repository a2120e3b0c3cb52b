// The chart on a real cluster, in namespaces that enforce Pod Security "restricted": from nothing to a DAG's success, an
// upgrade in the middle of a run, an installation on a database that exists, and nothing left but what the notes name.

import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { connect } from "../support/api-server.ts";
import { mustRun } from "../support/command.ts";
import { startEffects } from "./support/effects.ts";
import { deleteNamespace, waitForNoPods } from "./support/pods.ts";
import {
  createRestrictedNamespace,
  type Forward,
  forwardPort,
  imageValues,
  kubectl,
  listNames,
  runHelm,
  signInWith,
} from "./support/release.ts";
import { readLog, triggerRun, waitForDag, waitForRun } from "./support/runs.ts";
import { findNodeIp } from "./support/windlass.ts";

const FAN_OUT = fileURLToPath(new URL("../../examples/fan_out.ts", import.meta.url));
const EFFECTS_DAG = fileURLToPath(new URL("./dags/effects.ts", import.meta.url));
const RELEASE = "windlass";

const http = connect();
const forwards: Forward[] = [];
let namespace = "";
let other = "";

beforeAll(async () => {
  [namespace, other] = await Promise.all([createRestrictedNamespace(http), createRestrictedNamespace(http)]);
});
afterAll(async () => {
  await Promise.all(forwards.map((one) => one.stop()));
  await Promise.all([namespace, other].map((one) => deleteNamespace(http, one)));
  await http.close();
});

async function reach(where: string) {
  const forward = await forwardPort(where, `${RELEASE}-api`);
  forwards.push(forward);
  return signInWith(forward.url, where, `${RELEASE}-admin`);
}

describe("the chart", () => {
  it("leads from nothing to a DAG's success, its file brought by kubectl cp", async () => {
    const began = systemClock.monotonic();
    const notes = await runHelm("install", namespace, RELEASE, [
      ...imageValues(),
      "postgresql.enabled=true",
      "postgresql.persistence.enabled=false",
    ]);
    const installed = systemClock.monotonic();
    expect(notes).toContain(`port-forward service/${RELEASE}-api 8080:8080`);
    expect(notes).toContain(`get secret ${RELEASE}-admin`);
    const pod = (await listNames(namespace, "pods")).find((name) => name.startsWith(`${RELEASE}-scheduler-`));
    await kubectl(namespace, "cp", FAN_OUT, `${pod}:/dags/fan_out.ts`, "--container", "scheduler");
    const rest = await reach(namespace);
    await waitForDag(rest, "fan_out");
    const runId = await triggerRun(rest, "fan_out", { limit: 20 });
    const { run } = await waitForRun(rest, "fan_out", runId);
    const ended = systemClock.monotonic();
    expect(run.state).toBe("success");
    console.log(
      `helm install: ${((installed - began) / 1000).toFixed(1)} s; to the first DAG's success: ${((ended - began) / 1000).toFixed(1)} s`,
    );

    const left = async () => (await listNames(namespace, "pods")).filter((name) => name.startsWith("fan-out-"));
    await expect.poll(left, { timeout: 60_000 }).toEqual([]);
    expect(await readLog(rest, "fan_out", runId, "check", 1)).toContain("The squares of 1 to 20 add up to 2870");
  });

  it("is upgraded twice during a run, of a DAG from a ConfigMap, with nothing repeated", async () => {
    await kubectl(namespace, "create", "configmap", "dags", `--from-file=effects.ts=${EFFECTS_DAG}`);
    await runHelm("upgrade", namespace, RELEASE, ["dags.source=configMap", "dags.configMap.name=dags"]);
    const effects = await startEffects(await findNodeIp(http));
    try {
      const rest = await reach(namespace);
      await waitForDag(rest, "effects");
      const runId = await triggerRun(rest, "effects", { url: effects.url, seconds: 5 });
      await effects.waitFor((seen) => seen.length > 0);
      await runHelm("upgrade", namespace, RELEASE, ["logLevel=debug", "scheduler.replicas=2", "api.replicas=2"]);
      // The forwarded port has ended with its pod.
      const { run, tasks } = await waitForRun(await reach(namespace), "effects", runId);
      expect({ state: run.state, tasks }).toMatchObject({ state: "success" });
      expect(effects.findRepeats()).toEqual([]);
      expect(effects.all().filter(({ event }) => event === "end")).toHaveLength(7);
    } finally {
      await effects.stop();
    }
  });

  it("installs with a database's Secret alone, its schema made by the hook", async () => {
    await kubectl(
      namespace,
      "exec",
      `${RELEASE}-postgresql-0`,
      "--",
      "createdb",
      "-h",
      "/var/run/postgresql",
      "-U",
      "windlass",
      "other",
    );
    const encoded = await kubectl(
      namespace,
      "get",
      "secret",
      `${RELEASE}-postgresql`,
      "--output",
      "jsonpath={.data.url}",
    );
    const url = new URL(Buffer.from(encoded, "base64").toString());
    url.hostname = `${url.hostname}.${namespace}.svc`;
    url.pathname = "/other";
    await kubectl(other, "create", "secret", "generic", "database", `--from-literal=url=${url.href}`);
    await runHelm("install", other, RELEASE, [...imageValues(), "database.existingSecret=database"]);
    expect(await listNames(other, "jobs")).toEqual([]);
    await reach(other);
    await kubectl(other, "rollout", "status", `deployment/${RELEASE}-scheduler`, "--timeout=60s");
    expect(await uninstall(other)).toEqual({
      promised: [`secret/${RELEASE}-admin`],
      secrets: ["database", `${RELEASE}-admin`],
      others: ["configmaps/kube-root-ca.crt"],
    });
  });

  it("leaves nothing behind but what its notes name, and what is not its own", async () => {
    expect(await uninstall(namespace)).toEqual({
      promised: [`secret/${RELEASE}-admin`, `secret/${RELEASE}-postgresql`],
      secrets: [`${RELEASE}-admin`, `${RELEASE}-postgresql`],
      others: ["configmaps/dags", "configmaps/kube-root-ca.crt"],
    });
  });
});

/** What the notes say that is kept, and what is there once nothing runs any more. */
async function uninstall(where: string): Promise<{ promised: string[]; secrets: string[]; others: string[] }> {
  const notes = await mustRun("helm", ["get", "notes", RELEASE, "--namespace", where]);
  await mustRun("helm", ["uninstall", RELEASE, "--namespace", where, "--wait", "--timeout", "60s"]);
  await waitForNoPods(http, where);
  const kinds = [
    "configmaps",
    "persistentvolumeclaims",
    "services",
    "deployments",
    "statefulsets",
    "jobs",
    "networkpolicies",
  ];
  const others = await Promise.all(
    kinds.map(async (kind) => (await listNames(where, kind)).map((name) => `${kind}/${name}`)),
  );
  return {
    promised: [...notes.matchAll(/^ {2}((?:secret|persistentvolumeclaim)\/\S+)$/gm)].map(([, name = ""]) => name),
    secrets: (await listNames(where, "secrets")).toSorted(),
    others: others.flat().toSorted(),
  };
}
