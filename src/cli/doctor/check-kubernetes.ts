// A cluster that task pods run in: that its API server answers, its clock, and in each namespace of tasks the permissions
// that the executor needs and the Pod Security level. Changes nothing.

import type { KubernetesHttp } from "../../kubernetes/http.ts";
import { createKubernetesHttp } from "../../kubernetes/http.ts";
import { type InClusterOptions, inClusterCredentials } from "../../kubernetes/in-cluster.ts";
import { kubeconfigCredentials, type KubeconfigOptions } from "../../kubernetes/kubeconfig.ts";
import { readNamespace } from "../../kubernetes/namespace-level.ts";
import { describeMissing, findMissingPermissions, type Permission } from "../../kubernetes/permissions.ts";
import { textAt } from "../../kubernetes/read-json.ts";
import type { Clock } from "../../lifecycle/clock.ts";
import type { Logger } from "../../lifecycle/log.ts";
import { type Check, describeFault, judgeClock, ok, problem } from "./check.ts";

const MAX_CONNECTIONS = 4;

/** Where to look, and how what was found is named. */
export interface ClusterToCheck {
  /** Begins the names of its checks: `kubernetes`, or `cluster/gpu`. */
  check: string;
  cluster: InClusterOptions | KubeconfigOptions;
  namespaces: readonly string[];
  /** The setting that names its credentials, and the one that names its namespaces. */
  settings: { credentials: string; namespaces: string };
}

export async function checkKubernetes(target: ClusterToCheck, clock: Clock, log: Logger): Promise<Check[]> {
  const { check, cluster, namespaces } = target;
  const seen: { time: Date | null } = { time: null };
  const http = createKubernetesHttp({
    credentials:
      "inCluster" in cluster ? inClusterCredentials(cluster, clock, log) : kubeconfigCredentials(cluster, clock, log),
    clock,
    maxConnections: MAX_CONNECTIONS,
    onServerTime: (time) => {
      seen.time = time;
    },
  });
  const readVersion = () =>
    http.call({ method: "GET", path: "/version", verb: "get", resource: "version", namespace: null });
  try {
    // Twice: signing in and connecting are not to count as a difference of the clocks.
    const version = textAt(await readVersion(), "gitVersion") ?? "of an unknown version";
    const { server } = await http.credentials.current();
    const before = clock.now();
    await readVersion();
    const after = clock.now();
    const checks = [ok(check, `the API server ${server} answers, Kubernetes ${version}`)];
    if (seen.time !== null) {
      const reading = { other: seen.time, precisionMs: 1_000, before, after };
      checks.push(judgeClock(`${check}/clock`, "the API server's clock", reading));
    }
    const perNamespace = await Promise.all(namespaces.map((namespace) => checkNamespace(http, target, namespace)));
    return [...checks, ...perNamespace.flat()];
  } catch (error) {
    const advice = `check the cluster's address and the credentials, in ${target.settings.credentials}`;
    return [problem(check, `the API server cannot be used: ${describeFault(error)}`, advice)];
  } finally {
    await http.close();
  }
}

async function checkNamespace(http: KubernetesHttp, target: ClusterToCheck, namespace: string): Promise<Check[]> {
  const name = `${target.check}/${namespace}`;
  try {
    const [view, missing] = await Promise.all([
      readNamespace(http, namespace),
      findMissingPermissions(http, namespace),
    ]);
    const permissions = judgePermissions(name, namespace, missing);
    switch (view.kind) {
      case "missing":
        return [
          problem(
            name,
            `the namespace "${namespace}" does not exist`,
            `create it, or correct ${target.settings.namespaces}`,
          ),
        ];
      case "hidden":
        return [permissions, ok(`${name}/security`, "the Pod Security level may not be read with these credentials")];
      case "seen": {
        const level = view.level === null ? "no Pod Security level of its own" : `Pod Security level "${view.level}"`;
        return [permissions, ok(`${name}/security`, `the namespace enforces ${level}`)];
      }
    }
  } catch (error) {
    return [problem(name, describeFault(error), "see whether the API server answers such requests from here")];
  }
}

function judgePermissions(name: string, namespace: string, missing: readonly Permission[]): Check {
  const check = `${name}/permissions`;
  if (missing.length === 0) return ok(check, "all that the executor needs is allowed");
  const { message, advice } = describeMissing(namespace, missing);
  return problem(check, message, advice);
}
