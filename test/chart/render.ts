// The chart as helm renders it, from the value sets beside it.

import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { mustRun, runCommand } from "../support/command.ts";

export const CHART = fileURLToPath(new URL("../../charts/windlass", import.meta.url));
export const VALUE_SETS = globSync(join(CHART, "tests/values/*.yaml"))
  .map((path) => basename(path, ".yaml"))
  .toSorted();

/** helm without a cluster believes in an old one. */
const KUBERNETES = ["--kube-version", "1.34.0"];
/** What helm knows of a cluster that answers; a render that makes passwords wants one. */
const ANSWERING = ["--api-versions", "v1/Secret"];

export const valuesFile = (name: string): string => join(CHART, "tests/values", `${name}.yaml`);

export function renderSet(name: string, namespace: string): Promise<string> {
  return mustRun("helm", [
    "template",
    "r",
    CHART,
    "--namespace",
    namespace,
    "--values",
    valuesFile(name),
    ...KUBERNETES,
    ...ANSWERING,
  ]);
}

/** @param values laid over the set "minimal". Rejects with what helm says. */
export async function renderValues(
  values: Record<string, unknown>,
  chart = CHART,
  flags: readonly string[] = [],
): Promise<string> {
  const args = ["template", "r", chart, "--values", valuesFile("minimal"), "--values", "-", ...KUBERNETES, ...flags];
  const { code, stdout, stderr } = await runCommand("helm", args, JSON.stringify(values));
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** Passwords are other ones at each render. */
export function maskPasswords(text: string): string {
  return text.replaceAll(/^ {2}(password|url|keys): [A-Za-z0-9+/=]+$/gm, "  $1: MADE");
}
