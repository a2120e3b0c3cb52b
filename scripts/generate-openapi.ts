// Writes docs/openapi.json from the routes; with --check it compares and fails on a difference.

import { readFile, writeFile } from "node:fs/promises";
import { Registry } from "prom-client";
import { createExecutionTokens } from "../src/api/execution-tokens.ts";
import { createApi } from "../src/api/server.ts";
import { systemClock } from "../src/lifecycle/clock.ts";
import { createLogger } from "../src/lifecycle/log.ts";
import { createVersionCache } from "../src/store/dag-versions.ts";
import { createPostgresObjects } from "../src/store/postgres-objects.ts";
import { createSealer } from "../src/store/sealing.ts";
import { openDatabase } from "../src/store/database.ts";

const TARGET = new URL("../docs/openapi.json", import.meta.url);

const manifest: { version: string } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
const log = createLogger("silent");
// Never connected to: describing routes asks nothing of it.
const db = openDatabase({ url: "postgres://localhost/unused", poolSize: 1, applicationName: "openapi", log });
const app = await createApi({
  db,
  log,
  clock: systemClock,
  metrics: new Registry(),
  version: manifest.version,
  gitVersion: null,
  access: { kind: "open" },
  signingKey: "unused",
  executionTokens: createExecutionTokens("unused", systemClock),
  sealer: createSealer([]),
  objects: createPostgresObjects(db),
  rules: { versions: createVersionCache(), infrastructureBudget: 0, fence: 0 },
  heartbeatInterval: 10,
  heartbeatTimeout: 60,
  mapStack: async (_bundle, stack) => stack,
  computeTimes: async () => [],
  checkSchema: async () => {},
  trustedProxies: [],
});
const text = `${JSON.stringify(app.swagger(), null, 2)}\n`;
await app.close();
await db.close();

if (process.argv.includes("--check")) {
  const kept = await readFile(TARGET, "utf8").catch(() => "");
  if (kept !== text) {
    console.error("docs/openapi.json differs from the routes; run: node scripts/generate-openapi.ts");
    process.exitCode = 1;
  }
} else {
  await writeFile(TARGET, text);
}
