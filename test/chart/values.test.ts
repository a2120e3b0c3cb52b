// Wrong values are refused before anything is installed, with a message that names the key.

import { globSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { deriveSchema } from "../../scripts/values-schema.ts";
import { CHART, renderValues } from "./render.ts";

const WRONG: [values: Record<string, unknown>, message: RegExp][] = [
  [{ replicas: 2 }, /additional properties 'replicas' not allowed/],
  [{ scheduler: { replica: 2 } }, /\/scheduler.*'replica' not allowed/],
  [{ scheduler: { replicas: "two" } }, /\/scheduler\/replicas.*got string, want integer/],
  [{ api: { service: { type: "Cluster" } } }, /\/api\/service\/type/],
  [{ api: { workerUrl: "windlass:8080" } }, /\/api\/workerUrl/],
  [{ dags: { source: "git" } }, /\/dags\/source.*'gitSync'/],
  [{ dags: { gitSync: { branch: "main" } } }, /\/dags\/gitSync.*'branch' not allowed/],
  [{ image: { digest: "latest" } }, /\/image\/digest/],
  [{ config: { WINDLASS_PARALELISM: 4 } }, /\/config.*'WINDLASS_PARALELISM' not allowed/],
  [{ config: { WINDLASS_DATABASE_URL: "postgres://x" } }, /\/config.*'WINDLASS_DATABASE_URL' not allowed/],
  [{ migrations: { mode: "initContainer" } }, /\/migrations\/mode/],
  [{ workers: { namespaces: ["Etl"] } }, /\/workers\/namespaces\/0/],
  [{ clusters: { GPU: { existingSecret: "gpu", namespaces: ["ml"] } } }, /invalid propertyName 'GPU'/],
  [{ clusters: { gpu: { namespaces: ["ml"] } } }, /\/clusters\/gpu.*existingSecret/],
  [{ clusters: { gpu: { existingSecret: "gpu", namespaces: [] } } }, /\/clusters\/gpu\/namespaces/],
  [{ config: { WINDLASS_CLUSTERS: "/x" } }, /\/config.*'WINDLASS_CLUSTERS' not allowed/],
  [{ commonLabels: { team: 1 } }, /\/commonLabels\/team/],
  [{ metrics: { podMonitor: { interval: "fast" } } }, /\/metrics\/podMonitor\/interval/],
  [{ database: { existingSecret: "" } }, /database\.existingSecret is empty.*postgresql\.enabled=true/],
  [{ postgresql: { enabled: true } }, /database\.existingSecret and postgresql\.enabled exclude each other/],
  [{ auth: { generatePassword: true } }, /auth\.generatePassword needs a cluster.*auth\.existingSecret/],
  [{ encryption: { generateKey: true } }, /encryption\.generateKey needs a cluster.*encryption\.existingSecret/],
  [{ config: { WINDLASS_ENCRYPTION_KEYS: "x" } }, /\/config.*'WINDLASS_ENCRYPTION_KEYS' not allowed/],
  [{ storage: { url: "gs://bucket" } }, /\/storage\/url/],
  [{ storage: { url: "file:///objects" } }, /storage\.url names a folder: set storage\.existingClaim/],
  [{ storage: { existingClaim: "objects" } }, /storage\.existingClaim is for storage\.url=file/],
  [{ storage: { existingSecret: "s3" } }, /storage\.existingSecret is for storage\.url=s3/],
  [{ config: { WINDLASS_STORAGE: "postgres" } }, /\/config.*'WINDLASS_STORAGE' not allowed/],
  [{ scheduler: { replicas: 2 } }, /dags\.source=emptyDir.*scheduler\.replicas=1/],
  [{ dags: { source: "pvc" } }, /needs dags\.pvc\.existingClaim/],
  [{ dags: { source: "configMap" } }, /needs dags\.configMap\.name/],
  [{ dags: { source: "gitSync" } }, /needs dags\.gitSync\.repo/],
  [{ dags: { gitSync: { ssh: { existingSecret: "a" }, https: { existingSecret: "b" } } } }, /exclude each other/],
  [{ api: { ingress: { enabled: true } } }, /needs api\.ingress\.hosts/],
  [{ api: { httpRoute: { enabled: true } } }, /needs api\.httpRoute\.parentRefs/],
];

describe("values", () => {
  it("of the smallest kind are accepted", async () => {
    expect(await renderValues({})).toContain("kind: Deployment");
  });

  it.each(WRONG)("%j are refused", async (values, message) => {
    await expect(renderValues(values)).rejects.toThrow(message);
  });

  it("that have another name now are refused with the new one", async () => {
    const folder = await mkdtemp(join(tmpdir(), "windlass-chart-"));
    try {
      await cp(CHART, folder, { recursive: true });
      await writeFile(
        join(folder, "renamed-values.yaml"),
        "- {from: scheduler.logLevel, to: logLevel, since: 0.2.0}\n- {from: git.repo, to: dags.gitSync.repo, since: 0.3.0}\n",
      );
      const schema = deriveSchema(await readFile(join(CHART, "values.yaml"), "utf8"), {}, [
        "scheduler.logLevel",
        "git.repo",
      ]);
      await writeFile(join(folder, "values.schema.json"), JSON.stringify(schema));
      expect(await renderValues({}, folder)).toContain("kind: Deployment");
      await expect(renderValues({ scheduler: { logLevel: "debug" } }, folder)).rejects.toThrow(
        "scheduler.logLevel is called logLevel since 0.2.0",
      );
      await expect(renderValues({ git: { repo: "x" } }, folder)).rejects.toThrow(
        "git.repo is called dags.gitSync.repo since 0.3.0",
      );
      await expect(renderValues({ git: { branch: "x" } }, folder)).rejects.toThrow("'branch' not allowed");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("the schema of values", () => {
  it("describes each key by the comment above it and refuses null without a type", () => {
    const text = "# What it is.\na: 1\nb: # @schema {additionalProperties: {type: string}}\n  c: d\n";
    expect(deriveSchema(text, {}, [])).toMatchObject({
      additionalProperties: false,
      properties: {
        a: { description: "What it is.", type: "integer" },
        b: { type: "object", additionalProperties: { type: "string" } },
      },
    });
    expect(() => deriveSchema("a:\n  b: null\n", {}, [])).toThrow("a.b: the type of null");
  });
});

describe("the monitoring of the chart", () => {
  it("uses metrics that exist", async () => {
    const [dashboard, rules, ...sources] = await Promise.all(
      [
        "charts/windlass/dashboards/windlass.json",
        "charts/windlass/tests/golden/monitoring.yaml",
        ...globSync("src/{cli,api}/*metrics.ts", { cwd: join(CHART, "../..") }),
      ].map((path) => readFile(join(CHART, "../..", path), "utf8")),
    );
    expect(parse(dashboard ?? "")).toMatchObject({ title: "Windlass" });
    const used = new Set(
      [...`${dashboard}${rules}`.matchAll(/windlass_[a-z_]+/g)].map(([name]) =>
        name.replace(/_(bucket|count|sum)$/, ""),
      ),
    );
    expect(used.size).toBeGreaterThan(5);
    const known = new Set(
      [...sources.join("").matchAll(/"(?:windlass_)?([a-z_]{6,})"/g)].map(([, name]) => `windlass_${name}`),
    );
    expect([...used].filter((name) => !known.has(name))).toEqual([]);
  });
});
