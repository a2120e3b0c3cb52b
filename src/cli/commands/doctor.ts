// `windlass doctor`: asks everything that an installation depends on, changes nothing, and says what to do.

import { messageOf } from "../../core/errors.ts";
import { type Clock, systemClock } from "../../lifecycle/clock.ts";
import { createLogger, type Logger } from "../../lifecycle/log.ts";
import { chooseCluster, chooseNamespaces } from "../compose-executor.ts";
import { type ClusterEntry, readClusters } from "../clusters-file.ts";
import type { Configuration, Environment } from "../configuration.ts";
import { checkApi } from "../doctor/check-api.ts";
import { checkPodSettings, checkSettings } from "../doctor/check-configuration.ts";
import { checkDatabase } from "../doctor/check-database.ts";
import { checkKubernetes } from "../doctor/check-kubernetes.ts";
import { type Check, formatCheck, ok, problem } from "../doctor/check.ts";

export interface DoctorOptions {
  environment: Environment;
  output: "text" | "json";
  clock?: Clock;
}

/** Prints what was found; returns the exit code: 0 without problems, 1 with. */
export async function runDoctor(options: DoctorOptions, print: (text: string) => void): Promise<number> {
  const clock = options.clock ?? systemClock;
  // What goes wrong is in the answer.
  const log = createLogger("silent");
  const { configuration, checks: settings } = checkSettings(options.environment);
  const groups = await Promise.all([
    checkDatabase(configuration.WINDLASS_DATABASE_URL, clock, log),
    checkApi(configuration.WINDLASS_API_URL),
    checkExecutor(configuration, options.environment, clock, log),
    checkClusters(configuration, clock, log),
  ]);
  const checks = [settings, ...groups].flat(2);
  if (options.output === "json") print(JSON.stringify(checks, null, 2));
  else for (const check of checks) print(formatCheck(check));
  return checks.some(({ status }) => status === "problem") ? 1 : 0;
}

async function checkExecutor(
  configuration: Configuration,
  environment: Environment,
  clock: Clock,
  log: Logger,
): Promise<Check[]> {
  switch (configuration.WINDLASS_EXECUTOR) {
    case "local":
      return [ok("executor", "attempts run as processes on this machine, without Kubernetes")];
    case "kubernetes": {
      const settings = await checkPodSettings(configuration);
      try {
        const cluster = chooseCluster(configuration, environment);
        const namespaces = await chooseNamespaces(configuration);
        const named = {
          credentials: "WINDLASS_KUBECONFIG or of the service account",
          namespaces: "WINDLASS_NAMESPACES",
        };
        const target = { check: "kubernetes", cluster, namespaces, settings: named };
        return [...settings, ...(await checkKubernetes(target, clock, log))];
      } catch (error) {
        return [...settings, problem("kubernetes", messageOf(error), "then run this again")];
      }
    }
  }
}

/** Those of WINDLASS_CLUSTERS. */
async function checkClusters(configuration: Configuration, clock: Clock, log: Logger): Promise<Check[]> {
  const { WINDLASS_CLUSTERS: file, WINDLASS_EXECUTOR: executor } = configuration;
  let clusters: ClusterEntry[];
  try {
    clusters = await readClusters(file);
  } catch (error) {
    return [problem("configuration/clusters", messageOf(error), "correct the file or its path")];
  }
  const checks = clusters.map(async ({ name, kubeconfigPath, context, namespaces, apiUrl }): Promise<Check[]> => {
    const check = `cluster/${name}`;
    const cluster = { kubeconfigPath, ...(context === undefined ? {} : { context }) };
    const settings = { credentials: kubeconfigPath, namespaces: `the namespaces of "${name}" in ${file ?? ""}` };
    const found = await checkKubernetes({ check, cluster, namespaces, settings }, clock, log);
    if (apiUrl === null) return found;
    return [...found, await checkApi(apiUrl, `${check}/api`, `the apiUrl of "${name}" in ${file ?? ""}`)];
  });
  // Of the Kubernetes executor they are checked already.
  const settings = executor === "local" && clusters.length > 0 ? await checkPodSettings(configuration) : [];
  return [...settings, ...(await Promise.all(checks)).flat()];
}
