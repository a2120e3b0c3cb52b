// `windlass doctor` against a real Postgres, and an API server that answers as each test says. test/apiserver/doctor.test.ts
// asks a real one.

import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { runDoctor } from "../../src/cli/commands/doctor.ts";
import { judgeVersion } from "../../src/cli/doctor/check-database.ts";
import type { Check } from "../../src/cli/doctor/check.ts";
import type { Environment } from "../../src/cli/configuration.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { runCommand } from "../support/command.ts";
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from "../support/postgres.ts";

let folder = "";
let database: TestDatabase;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "doctor-"));
  database = await createTestDatabase();
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Answer {
  status: number;
  body?: object;
  date?: Date;
}

async function serve(answer: (request: IncomingMessage, body: string) => Answer): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { status, body, date } = answer(request, Buffer.concat(chunks).toString());
      response.writeHead(status, date === undefined ? {} : { date: date.toUTCString() });
      response.end(JSON.stringify(body ?? {}));
    });
  });
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Cluster {
  /** As "verb namespace". */
  refused?: string[];
  level?: string;
  /** Of GET namespace. */
  namespaceStatus?: number;
  clockMs?: number;
}

/** The environment that leads to an API server with this behaviour. */
async function startCluster(cluster: Cluster): Promise<Environment> {
  const url = await serve((request, body) => {
    const date = new Date(Date.now() + (cluster.clockMs ?? 0));
    if (request.url === "/version") return { status: 200, date, body: { gitVersion: "v1.35.1" } };
    if (request.method === "GET") {
      const labels = cluster.level === undefined ? {} : { "pod-security.kubernetes.io/enforce": cluster.level };
      const status = cluster.namespaceStatus ?? 200;
      // What is no Status is a proxy's word, and not the API server's.
      return status === 200
        ? { status, body: { metadata: { labels } } }
        : { status, body: { kind: "Status", apiVersion: "v1", status: "Failure", code: status } };
    }
    const { spec } = JSON.parse(body) as { spec: { resourceAttributes: { verb: string; namespace: string } } };
    const { verb, namespace } = spec.resourceAttributes;
    return { status: 201, body: { status: { allowed: !cluster.refused?.includes(`${verb} ${namespace}`) } } };
  });
  const path = join(folder, `kubeconfig-${servers.length}-${new URL(url).port}`);
  await writeFile(
    path,
    JSON.stringify({
      clusters: [{ name: "c", cluster: { server: url, "insecure-skip-tls-verify": true } }],
      users: [{ name: "u", user: { token: "t" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    }),
  );
  return { WINDLASS_KUBECONFIG: path, WINDLASS_WORKER_IMAGE: "windlass:1" };
}

const LOCAL = { WINDLASS_EXECUTOR: "local" };

async function examine(environment: Environment, clock = systemClock): Promise<{ code: number; checks: Check[] }> {
  const lines: string[] = [];
  const code = await runDoctor({ environment, output: "json", clock }, (text) => lines.push(text));
  return { code, checks: JSON.parse(lines.join("\n")) as Check[] };
}
const find = (checks: Check[], name: string) => checks.filter(({ check }) => check === name);

it("finds nothing wrong where nothing is, one line to a check", async () => {
  const environment = {
    ...(await startCluster({ level: "restricted" })),
    WINDLASS_NAMESPACES: "etl,reports",
    WINDLASS_DATABASE_URL: database.url,
    WINDLASS_API_URL: `${await serve(({ url }) => ({ status: url === "/livez" ? 200 : 404 }))}/`,
  };
  const lines: string[] = [];
  expect(await runDoctor({ environment, output: "text" }, (text) => lines.push(text))).toBe(0);
  expect(lines.map((line) => line.split(":")[0])).toEqual([
    "ok       configuration",
    "ok       database",
    "ok       database/schema",
    "ok       database/clock",
    "ok       api",
    "ok       kubernetes",
    "ok       kubernetes/clock",
    "ok       kubernetes/etl/permissions",
    "ok       kubernetes/etl/security",
    "ok       kubernetes/reports/permissions",
    "ok       kubernetes/reports/security",
  ]);
  expect(lines.join("\n")).toContain("Kubernetes v1.35.1");
  expect(lines.join("\n")).toContain('the namespace enforces Pod Security level "restricted"');
});

it("names every missing permission, and the Role's rule that gives it", async () => {
  const environment = {
    ...(await startCluster({ refused: ["create etl", "watch etl"], namespaceStatus: 403 })),
    WINDLASS_NAMESPACES: "etl,reports",
  };
  const { code, checks } = await examine(environment);
  expect(code).toBe(1);
  expect(find(checks, "kubernetes/etl/permissions")).toEqual([
    {
      check: "kubernetes/etl/permissions",
      status: "problem",
      message: "missing as (verb, resource, namespace): (create, pods, etl), (watch, pods, etl)",
      advice:
        'bind a Role in namespace "etl" with the rule {apiGroups: [""], resources: [pods], verbs: [create, watch]}',
    },
  ]);
  expect(find(checks, "kubernetes/reports/permissions")).toMatchObject([{ status: "ok" }]);
  expect(find(checks, "kubernetes/etl/security")).toMatchObject([{ status: "ok" }]);
});

describe("Kubernetes", () => {
  it("a namespace that does not exist", async () => {
    const { code, checks } = await examine({
      ...(await startCluster({ namespaceStatus: 404 })),
      WINDLASS_NAMESPACES: "etl",
    });
    expect(code).toBe(1);
    expect(find(checks, "kubernetes/etl")).toMatchObject([{ status: "problem" }]);
  });

  it("a clock that is an hour off is a warning", async () => {
    const { code, checks } = await examine({
      ...(await startCluster({ clockMs: -3_600_000 })),
      WINDLASS_NAMESPACES: "etl",
    });
    expect(code).toBe(0);
    const [clock] = find(checks, "kubernetes/clock");
    expect(clock?.status).toBe("warning");
    expect(clock?.message).toMatch(/^the API server's clock is 3\d{3}\.\d s behind this machine's$/);
  });

  it("nobody listening, and no cluster at all", async () => {
    const gone = await startCluster({});
    servers[0]?.close();
    expect(find((await examine(gone)).checks, "kubernetes")).toMatchObject([{ status: "problem" }]);
    const { code, checks } = await examine({});
    expect(code).toBe(1);
    expect(find(checks, "kubernetes")).toMatchObject([{ status: "problem" }]);
    expect(find(checks, "configuration/worker-image")).toMatchObject([{ status: "warning" }]);
  });
});

describe("the database", () => {
  it("is missing, away, or refuses the password", async () => {
    expect(await examine(LOCAL)).toMatchObject({
      code: 0,
      checks: [{ status: "ok" }, { check: "database", status: "warning" }, { check: "api", status: "warning" }, {}],
    });
    const away = await examine({ ...LOCAL, WINDLASS_DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" });
    expect(away.code).toBe(1);
    expect(find(away.checks, "database")[0]?.message).toContain("ECONNREFUSED");
  });

  it("has no schema yet", async () => {
    const empty = await createEmptyDatabase();
    const { code, checks } = await examine({ ...LOCAL, WINDLASS_DATABASE_URL: empty.url });
    await empty.drop();
    expect(code).toBe(1);
    expect(find(checks, "database")).toMatchObject([{ status: "ok" }]);
    expect(find(checks, "database/schema")[0]?.message).toContain("windlass migrate");
  });

  it("has another time", async () => {
    const slow = { ...systemClock, now: () => new Date(Date.now() - 10_000) };
    const { code, checks } = await examine({ ...LOCAL, WINDLASS_DATABASE_URL: database.url }, slow);
    expect(code).toBe(0);
    expect(find(checks, "database/clock")).toMatchObject([{ status: "warning" }]);
  });

  it.each([
    [13, "problem"],
    [14, "ok"],
    [18, "ok"],
    [19, "warning"],
  ] as const)("of version %i: %s", (major, status) => {
    expect(judgeVersion(major).status).toBe(status);
  });
});

it("an API that is not healthy", async () => {
  const environment = { ...LOCAL, WINDLASS_API_URL: await serve(() => ({ status: 503 })) };
  const { code, checks } = await examine(environment);
  expect(code).toBe(1);
  expect(find(checks, "api")[0]?.message).toMatch(/\/livez answers 503$/);
});

it("a wrong setting is named, and the rest is checked all the same", async () => {
  const template = join(folder, "pod.yaml");
  await writeFile(template, "just text");
  const { code, checks } = await examine({
    WINDLASS_DATABASE_URL: database.url,
    WINDLASS_PARALLELISM: "many",
    WINDLASS_POD_TEMPLATE: template,
  });
  expect(code).toBe(1);
  expect(find(checks, "configuration")).toMatchObject([{ status: "problem" }]);
  expect(find(checks, "configuration")[0]?.message).toContain('WINDLASS_PARALLELISM is "many"');
  expect(find(checks, "configuration/pod-template")).toMatchObject([{ status: "problem" }]);
  expect(find(checks, "database/schema")).toMatchObject([{ status: "ok" }]);
});

it("wrong usage is exit code 2", async () => {
  const { code, stderr } = await runCommand(process.execPath, ["src/cli/main.ts", "doctor", "--output", "xml"]);
  expect(stderr).toContain('--output is "xml"');
  expect(code).toBe(2);
});

describe("other clusters", () => {
  const clustersFile = async (text: string) => {
    const path = join(folder, `clusters-${servers.length}.yaml`);
    await writeFile(path, text);
    return path;
  };

  it("are each checked as the installation's own is, whatever the executor, by their names", async () => {
    const gpu = await startCluster({ refused: ["delete ml"], level: "baseline" });
    const edge = await startCluster({ namespaceStatus: 404 });
    const api = await serve(({ url }) => ({ status: url === "/livez" ? 200 : 404 }));
    const file = await clustersFile(`
gpu: {kubeconfig: ${gpu["WINDLASS_KUBECONFIG"] ?? ""}, namespaces: [ml], apiUrl: "${api}"}
edge: {kubeconfig: ${edge["WINDLASS_KUBECONFIG"] ?? ""}, namespaces: [shop]}
gone: {kubeconfig: /nowhere/kubeconfig, namespaces: [x]}
`);
    const { code, checks } = await examine({ ...LOCAL, WINDLASS_CLUSTERS: file });
    expect(code).toBe(1);
    expect(find(checks, "configuration/worker-image")).toMatchObject([{ status: "warning" }]);
    expect(checks.filter(({ check }) => check.startsWith("cluster/"))).toMatchObject([
      { check: "cluster/gpu", status: "ok" },
      { check: "cluster/gpu/clock", status: "ok" },
      {
        check: "cluster/gpu/ml/permissions",
        status: "problem",
        message: expect.stringContaining("(delete, pods, ml)"),
      },
      { check: "cluster/gpu/ml/security", status: "ok", message: expect.stringContaining("baseline") },
      { check: "cluster/gpu/api", status: "ok" },
      { check: "cluster/edge", status: "ok" },
      { check: "cluster/edge/clock", status: "ok" },
      { check: "cluster/edge/shop", status: "problem", advice: expect.stringContaining(`"edge" in ${file}`) },
      { check: "cluster/gone", status: "problem", message: expect.stringContaining("/nowhere/kubeconfig") },
    ]);
  });

  it("in a file that is wrong are a problem that names it", async () => {
    const file = await clustersFile("gpu: {namespaces: [ml]}");
    const { code, checks } = await examine({ ...LOCAL, WINDLASS_CLUSTERS: file });
    expect(code).toBe(1);
    expect(find(checks, "configuration/clusters")).toMatchObject([
      { status: "problem", message: expect.stringContaining(`${file} is wrong: gpu.kubeconfig`) },
    ]);
  });
});
