// Writes charts/windlass/values.schema.json from values.yaml beside it; --check fails on a difference.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { SETTINGS, type SettingName } from "../src/cli/configuration.ts";
import { deriveSchema, renamedValues, type Schema } from "./values-schema.ts";

const chart = join(import.meta.dirname, "..", "charts", "windlass");
const path = join(chart, "values.schema.json");

/** What the chart sets itself, or what means nothing in a pod. */
const NOT_IN_CONFIG: ReadonlySet<SettingName> = new Set([
  "WINDLASS_DATABASE_URL",
  "WINDLASS_DAGS_FOLDER",
  "WINDLASS_EXECUTOR",
  "WINDLASS_LOG_LEVEL",
  "WINDLASS_LISTEN_HOST",
  "WINDLASS_LISTEN_PORT",
  "WINDLASS_PROBE_PORT",
  "WINDLASS_API_URL",
  "WINDLASS_ADMIN_PASSWORD",
  "WINDLASS_ENCRYPTION_KEYS",
  "WINDLASS_LOCAL_SLOTS",
  "WINDLASS_NAMESPACES",
  "WINDLASS_CLUSTERS",
  "WINDLASS_WORKER_IMAGE",
  "WINDLASS_POD_TEMPLATE",
  "WINDLASS_POD_POLICY",
  "WINDLASS_STORAGE",
  "WINDLASS_API_TOKEN",
  "WINDLASS_KUBECONFIG",
  "WINDLASS_DATA_FOLDER",
]);

function describeSettings(): Schema {
  const names = (Object.keys(SETTINGS) as SettingName[]).filter((name) => !NOT_IN_CONFIG.has(name));
  const properties = Object.fromEntries(
    names.map((name) => [name, { description: SETTINGS[name].description, type: ["string", "number", "boolean"] }]),
  );
  return { type: "object", additionalProperties: false, properties };
}

const renamed = renamedValues.parse(parse(await readFile(join(chart, "renamed-values.yaml"), "utf8")));
const schema = deriveSchema(
  await readFile(join(chart, "values.yaml"), "utf8"),
  { $settings: describeSettings() },
  renamed.map(({ from }) => from),
);
const text = `${JSON.stringify(schema, null, 2)}\n`;

if (process.argv.includes("--check")) {
  if ((await readFile(path, "utf8").catch(() => "")) !== text) {
    process.stderr.write("charts/windlass/values.schema.json is out of date; run make generate\n");
    process.exitCode = 1;
  }
} else {
  await writeFile(path, text);
}
