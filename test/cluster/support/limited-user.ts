// A kubeconfig of somebody who may do nothing yet, as for a scheduler that runs outside of the cluster.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NEEDED_PERMISSIONS } from "../../../src/kubernetes/permissions.ts";
import { mustRun } from "../../support/command.ts";
import { kubectl } from "./release.ts";

export interface LimitedUser {
  readonly kubeconfig: string;
  /** The Role of docs/install.md. */
  grant(): Promise<void>;
  remove(): void;
}

const ACCOUNT = "outside";

/** Signs in as a service account that exists. */
export async function writeKubeconfig(namespace: string, account: string): Promise<Omit<LimitedUser, "grant">> {
  const token = (await kubectl(namespace, "create", "token", account)).trim();
  const config = JSON.parse(
    await mustRun("kubectl", ["config", "view", "--minify", "--flatten", "--output", "json"]),
  ) as Record<string, unknown> & { users: { name: string }[] };
  const users = config.users.map(({ name }) => ({ name, user: { token } }));
  const folder = mkdtempSync(join(tmpdir(), "windlass-kubeconfig-"));
  const kubeconfig = join(folder, "config");
  writeFileSync(kubeconfig, JSON.stringify({ ...config, users }), { mode: 0o600 });
  return { kubeconfig, remove: () => rmSync(folder, { recursive: true }) };
}

export async function createLimitedUser(namespace: string): Promise<LimitedUser> {
  await kubectl(namespace, "create", "serviceaccount", ACCOUNT);
  return {
    ...(await writeKubeconfig(namespace, ACCOUNT)),
    grant: async () => {
      const rules = NEEDED_PERMISSIONS.map(({ verb, resource }) => ({
        apiGroups: [""],
        resources: [resource],
        verbs: [verb],
      }));
      const role = {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "Role",
        metadata: { name: "windlass-tasks" },
        rules,
      };
      await mustRun("kubectl", ["--namespace", namespace, "create", "--filename", "-"], JSON.stringify(role));
      const binding = ["create", "rolebinding", "windlass-tasks", "--role=windlass-tasks"];
      await kubectl(namespace, ...binding, `--serviceaccount=${namespace}:${ACCOUNT}`);
    },
  };
}
