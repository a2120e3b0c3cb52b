// `windlass doctor` with the credentials of a service account, against the real API server.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runDoctor } from "../../src/cli/commands/doctor.ts";
import type { Check } from "../../src/cli/doctor/check.ts";
import { call, connect, createNamespace } from "../support/api-server.ts";

const http = connect();
let namespace = "";
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "doctor-"));
  namespace = await createNamespace(http);
  await call(http, "POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: "windlass" } });
});
afterAll(async () => {
  await call(http, "DELETE", `/api/v1/namespaces/${namespace}`);
  await http.close();
  await rm(folder, { recursive: true });
});

async function writeKubeconfig(): Promise<string> {
  const issued = await call(http, "POST", `/api/v1/namespaces/${namespace}/serviceaccounts/windlass/token`, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { expirationSeconds: 600 },
  });
  const { token } = (issued as { status: { token: string } }).status;
  const { server, tls } = await http.credentials.current();
  const path = join(folder, "config");
  const ca = Buffer.from(tls.ca ?? "").toString("base64");
  await writeFile(
    path,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server, "certificate-authority-data": ca } }],
      users: [{ name: "u", user: { token } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    }),
  );
  return path;
}

async function examine(kubeconfig: string): Promise<{ code: number; checks: Check[] }> {
  const lines: string[] = [];
  const environment = {
    WINDLASS_KUBECONFIG: kubeconfig,
    WINDLASS_NAMESPACES: namespace,
    WINDLASS_WORKER_IMAGE: "windlass:1",
  };
  const code = await runDoctor({ environment, output: "json" }, (text) => lines.push(text));
  return { code, checks: JSON.parse(lines.join("\n")) as Check[] };
}
const find = (checks: Check[], name: string) => checks.find(({ check }) => check === name);

test("an account without a Role is told what it lacks; with the rule that is advised, nothing", async () => {
  const kubeconfig = await writeKubeconfig();
  const { code, checks } = await examine(kubeconfig);
  expect(code).toBe(1);
  expect(find(checks, "kubernetes")?.message).toMatch(/answers, Kubernetes v\d/);
  expect(find(checks, "kubernetes/clock")?.status).toBe("ok");
  const permissions = find(checks, `kubernetes/${namespace}/permissions`);
  expect(permissions?.status).toBe("problem");
  for (const verb of ["create", "get", "list", "watch", "patch", "delete"]) {
    expect(permissions?.message).toContain(`(${verb}, pods, ${namespace})`);
  }
  expect(permissions?.message).toContain(`(get, pods/log, ${namespace})`);
  expect(permissions?.message).toContain(`(list, events, ${namespace})`);
  expect(permissions?.advice).toContain(
    '{apiGroups: [""], resources: [pods], verbs: [create, get, list, watch, patch, delete]}',
  );
  expect(find(checks, `kubernetes/${namespace}/security`)?.message).toContain("may not be read");

  await call(http, "POST", `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`, {
    metadata: { name: "tasks" },
    rules: [
      { apiGroups: [""], resources: ["pods"], verbs: ["create", "get", "list", "watch", "patch", "delete"] },
      { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
      { apiGroups: [""], resources: ["events"], verbs: ["list"] },
    ],
  });
  await call(http, "POST", `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
    metadata: { name: "tasks" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "tasks" },
    subjects: [{ kind: "ServiceAccount", name: "windlass", namespace }],
  });
  // The authorizer learns of a binding through its own watch.
  await expect
    .poll(async () => find((await examine(kubeconfig)).checks, `kubernetes/${namespace}/permissions`)?.status, {
      timeout: 20_000,
    })
    .toBe("ok");
});

test("the namespace's Pod Security level is told to those who may read it", async () => {
  await call(http, "PATCH", `/api/v1/namespaces/${namespace}`, {
    metadata: { labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
  });
  const { code, checks } = await examine(process.env["KUBECONFIG"] ?? "");
  expect(code).toBe(0);
  expect(find(checks, `kubernetes/${namespace}/security`)?.message).toContain('level "restricted"');
});
