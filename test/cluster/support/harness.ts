// Faults in the cluster's own components. Only the cluster that the suite started itself may be broken.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

export type Component =
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-scheduler"
  | "kubelet"
  | "kube-proxy";

/** false on an outside cluster: tests that break the cluster skip themselves then. */
export const ownsCluster = Boolean(process.env["WINDLASS_TEST_HARNESS"]);

function harness(): string {
  const path = process.env["WINDLASS_TEST_HARNESS"];
  if (!path) throw new Error("this cluster is not ours to break; run the suite without KUBECONFIG");
  return path;
}

/** SIGKILL; resolves when the process is gone. */
export async function killComponent(name: Component): Promise<void> {
  await run(harness(), ["kill", name]);
}

/** Returns at once: the component gets ready in its own time. */
export async function startComponent(name: Component): Promise<void> {
  // Its output goes to the harness's log, but a pipe that it inherits would never close.
  await run("sh", ["-c", '"$0" start "$1" >/dev/null 2>&1', harness(), name]);
}
