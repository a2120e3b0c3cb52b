// The chart on a real cluster, in namespaces that enforce Pod Security "restricted": from nothing to a DAG's success, an
// upgrade in the middle of a run, an installation on a database that exists, and nothing left but what the notes name.

import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RestClient } from "../../src/cli/rest-client.ts";
import { variableAnswer } from "../../src/contract/rest-variables.ts";
import { versionAnswer } from "../../src/contract/rest-installation.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { connect } from "../support/api-server.ts";
import { mustRun } from "../support/command.ts";
import { startEffects } from "./support/effects.ts";
import { deleteNamespace, waitForNoPods } from "./support/pods.ts";
import {
  CHART,
  createRestrictedNamespace,
  type Forward,
  forwardPort,
  imageValues,
  kubectl,
  listNames,
  runHelm,
  nextImage,
  signInWith,
  splitImage,
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

/** Runs the DAG with effects, changes the release in the middle of it, and checks that nobody could tell. */
async function expectNoTrace(before: RestClient, change: () => Promise<RestClient>): Promise<void> {
  const effects = await startEffects(await findNodeIp(http));
  try {
    await waitForDag(before, "effects");
    const runId = await triggerRun(before, "effects", { url: effects.url, seconds: 5 });
    await effects.waitFor((seen) => seen.length > 0);
    // The port that was forwarded has ended with its pod.
    const after = await change();
    const { run, tasks } = await waitForRun(after, "effects", runId);
    expect({ state: run.state, tasks }).toMatchObject({ state: "success" });
    expect(effects.findRepeats()).toEqual([]);
    expect(effects.all().filter(({ event }) => event === "end")).toHaveLength(7);
  } finally {
    await effects.stop();
  }
}

async function readVersion(rest: RestClient): Promise<string> {
  return (await rest.get("/api/v2/version", versionAnswer)).version;
}

describe("the chart", () => {
  it("leads from nothing to a DAG's success, its file brought by kubectl cp", async () => {
    const began = systemClock.monotonic();
    const notes = await runHelm("install", namespace, RELEASE, [
      ...imageValues(),
      "postgresql.enabled=true",
      "postgresql.persistence.enabled=false",
      "encryption.generateKey=true",
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

    await rest.post("/api/v2/variables", { key: "kept", value: "told", is_secret: false }, variableAnswer);

    const left = async () => (await listNames(namespace, "pods")).filter((name) => name.startsWith("fan-out-"));
    await expect.poll(left, { timeout: 60_000 }).toEqual([]);
    expect(await readLog(rest, "fan_out", runId, "check", 1)).toContain("The squares of 1 to 20 add up to 2870");
  });

  it("is upgraded during a run, of a DAG from a ConfigMap, with nothing repeated", async () => {
    await kubectl(namespace, "create", "configmap", "dags", `--from-file=effects.ts=${EFFECTS_DAG}`);
    await runHelm("upgrade", namespace, RELEASE, ["dags.source=configMap", "dags.configMap.name=dags"]);
    await expectNoTrace(await reach(namespace), async () => {
      await runHelm("upgrade", namespace, RELEASE, ["logLevel=debug", "scheduler.replicas=2", "api.replicas=2"]);
      return reach(namespace);
    });
  });

  it.skipIf(!nextImage)("goes to the next release and back during runs, with nothing repeated", async () => {
    const current = await readVersion(await reach(namespace));
    const [repository, tag] = splitImage(nextImage ?? "");
    const upgrade = () =>
      runHelm("upgrade", namespace, RELEASE, [`image.repository=${repository}`, `image.tag=${tag}`]);
    const rollback = () => runHelm("rollback", namespace, RELEASE, []);
    for (const [version, change] of [
      ["9.0.0", upgrade],
      [current, rollback],
    ] as const) {
      await expectNoTrace(await reach(namespace), async () => {
        await change();
        const rest = await reach(namespace);
        expect(await readVersion(rest)).toBe(version);
        return rest;
      });
    }
    // What was stored under the key that the first install made.
    const rest = await reach(namespace);
    expect((await rest.get("/api/v2/variables/kept", variableAnswer)).value).toBe("told");
    // The schema stays that of the next release, and the scheduler says that it knows.
    const log = await kubectl(namespace, "logs", `deployment/${RELEASE}-scheduler`, "--container", "scheduler");
    expect(log).toMatch(/9000_next_release\.sql.*newer release's, which this one works with/);
    const doctor = ["exec", `deployment/${RELEASE}-scheduler`, "--container", "scheduler", "--", "windlass", "doctor"];
    expect(await kubectl(namespace, ...doctor)).toContain("newer release's (9000_next_release.sql)");
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

  it("comes by kubectl apply too, with the migration beside the rest", async () => {
    const values = [
      ...imageValues(),
      "database.existingSecret=database",
      "auth.existingSecret=windlass-admin",
      "migrations.mode=job",
    ];
    const set = values.flatMap((value) => ["--set", value]);
    // Without a cluster, helm believes in one of the age that it was built for.
    const flags = ["--namespace", other, "--kube-version", "1.34.0", ...set];
    const manifest = await mustRun("helm", ["template", RELEASE, CHART, ...flags]);
    await mustRun("kubectl", ["apply", "--filename", "-"], manifest);
    for (const role of ["api", "scheduler"])
      await kubectl(other, "rollout", "status", `deployment/${RELEASE}-${role}`, "--timeout=90s");
    await reach(other);
    // Again: nothing that cannot be changed, as a Job.
    expect(await mustRun("kubectl", ["apply", "--filename", "-"], manifest)).not.toContain("created");
    await mustRun("kubectl", ["delete", "--wait", "--filename", "-"], manifest);
  });

  it("leaves nothing behind but what its notes name, and what is not its own", async () => {
    expect(await uninstall(namespace)).toEqual({
      promised: [`secret/${RELEASE}-admin`, `secret/${RELEASE}-encryption`, `secret/${RELEASE}-postgresql`],
      secrets: [`${RELEASE}-admin`, `${RELEASE}-encryption`, `${RELEASE}-postgresql`],
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
