// What attempts name their executor by. Each cluster has one of its own, so that whatever asks for an executor's attempts
// (claims, sweeps, limits) never meets those of another cluster, and neither does a release that knows of no other cluster.

/** kubernetes: the installation's own cluster. */
export type ExecutorName = "local" | "kubernetes" | `kubernetes:${string}`;

/** A DNS label, and short enough to fit into a label's value beside the installation's id. */
const CLUSTER = /^[a-z0-9](?:[a-z0-9-]{0,23}[a-z0-9])?$/;
export const CLUSTER_RULE = "a cluster's name has up to 25 letters a to z, digits and inner dashes";

export function isClusterName(text: string): boolean {
  return CLUSTER.test(text);
}

/** @param cluster null: the installation's own */
export function nameExecutor(cluster: string | null): "kubernetes" | `kubernetes:${string}` {
  return cluster === null ? "kubernetes" : `kubernetes:${cluster}`;
}

/** `kubernetes:gpu` is the kind kubernetes in the cluster gpu. */
export function parseExecutor(name: string): { kind: string; cluster: string | null } {
  const [kind = name, cluster = null] = name.split(":");
  return { kind, cluster };
}

export function sayUnknownCluster(cluster: string): string {
  return `no scheduler has the cluster "${cluster}" in its configuration; add it to the file of WINDLASS_CLUSTERS`;
}
