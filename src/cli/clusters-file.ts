// The file of WINDLASS_CLUSTERS: the clusters, beside the installation's own, that pods of kubernetesPod tasks may run in.

import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { failure, messageOf } from "../core/errors.ts";
import { CLUSTER_RULE, isClusterName } from "../core/executor-name.ts";

export interface ClusterEntry {
  name: string;
  kubeconfigPath: string;
  /** Absent: the kubeconfig's current one. */
  context?: string;
  /** Where pods are watched. */
  namespaces: readonly string[];
  defaultNamespace: string;
  /** Where its pods reach the execution API; null: nowhere, so that they cannot deliver results from files. */
  apiUrl: string | null;
  /** Task instances queued or running in it at once; absent: as many as WINDLASS_PARALLELISM. */
  parallelism?: number;
}

const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const clusterEntry = z.strictObject({
  kubeconfig: z.string().min(1),
  context: z.string().min(1).exactOptional(),
  namespaces: z.tuple(
    [z.string().regex(NAMESPACE, "is not a namespace's name")],
    z.string().regex(NAMESPACE, "is not a namespace's name"),
  ),
  apiUrl: z.url({ protocol: /^https?$/ }).exactOptional(),
  parallelism: z.int().min(1).max(100_000).exactOptional(),
});
const clustersFile = z.record(z.string().refine(isClusterName, CLUSTER_RULE), clusterEntry).nullable();

const EXAMPLE = "gpu: { kubeconfig: /etc/windlass/clusters/gpu/kubeconfig, namespaces: [ml] }";

/** Paths in it are relative to its folder. Errors: invalid_configuration, naming the file and every wrong field. */
export async function readClusters(path: string | undefined): Promise<ClusterEntry[]> {
  if (path === undefined) return [];
  const wrong = (why: string, cause: unknown) =>
    failure("invalid_configuration", `WINDLASS_CLUSTERS ${path} ${why}; an entry looks like ${EXAMPLE}`, { cause });
  let content: unknown;
  try {
    content = parse(await readFile(path, "utf8"));
  } catch (error) {
    throw wrong(`is not a YAML file that can be read: ${messageOf(error)}`, error);
  }
  const parsed = clustersFile.safeParse(content);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join(".") || "the file"}: ${sayIssue(issue)}`);
    throw wrong(`is wrong: ${faults.join("; ")}`, parsed.error);
  }
  return Object.entries(parsed.data ?? {}).map(([name, { kubeconfig, context, namespaces, apiUrl, parallelism }]) => ({
    name,
    kubeconfigPath: resolve(dirname(path), kubeconfig),
    ...(context === undefined ? {} : { context }),
    namespaces: [...new Set(namespaces)],
    defaultNamespace: namespaces[0],
    apiUrl: apiUrl ?? null,
    ...(parallelism === undefined ? {} : { parallelism }),
  }));
}

function sayIssue(issue: z.core.$ZodIssue): string {
  // A key's own faults are one level down.
  return issue.code === "invalid_key" ? issue.issues.map(({ message }) => message).join(", ") : issue.message;
}
