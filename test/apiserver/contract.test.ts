// The contract on a kube-apiserver and an etcd of its own, because it makes them forget. The binaries are those of
// test/cluster/cluster, so an outside cluster has none.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { createKubernetesHttp, type KubernetesHttp } from "../../src/kubernetes/http.ts";
import { call } from "../support/api-server.ts";
import { describeApiServer } from "../support/api-server-contract.ts";
import { findBinaries, startControlPlane } from "../soak/control-plane.ts";

async function restrict(http: KubernetesHttp, namespace: string, verbs: readonly string[]): Promise<KubernetesHttp> {
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await call(http, "POST", accounts, { metadata: { name: "reader" } });
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  await call(http, "POST", `${rbac}/roles`, {
    metadata: { name: "reader" },
    rules: [{ apiGroups: [""], resources: ["pods"], verbs }],
  });
  await call(http, "POST", `${rbac}/rolebindings`, {
    metadata: { name: "reader" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" },
    subjects: [{ kind: "ServiceAccount", name: "reader", namespace }],
  });
  const issued = await call(http, "POST", `${accounts}/reader/token`, { spec: { expirationSeconds: 600 } });
  const { token } = (issued as { status: { token: string } }).status;
  const admin = await http.credentials.current();
  const { ca } = admin.tls;
  const tls = ca === undefined ? {} : { ca };
  const credentials = { server: admin.server, tls, headers: { authorization: `Bearer ${token}` } };
  const reader = createKubernetesHttp({
    credentials: { current: async () => credentials, renew: async () => credentials },
    clock: systemClock,
    maxConnections: 4,
  });
  // The authorizer learns of a binding through its own watch.
  const list = () =>
    call(reader, "GET", `/api/v1/namespaces/${namespace}/pods?limit=1`).then(
      () => true,
      () => false,
    );
  await expect.poll(list, { timeout: 20_000 }).toBe(true);
  return reader;
}

const canStart = await findBinaries().then(
  () => true,
  () => false,
);

describe.skipIf(!canStart)("a control plane of its own", () => {
  describeApiServer("kube-apiserver", async () => {
    const folder = await mkdtemp(join(tmpdir(), "contract-"));
    const plane = await startControlPlane(folder);
    return {
      http: plane.http,
      restrict: (namespace, verbs) => restrict(plane.http, namespace, verbs),
      forgetHistory: async () => {
        await plane.compact();
        // Its cache of changes begins anew with the process.
        await plane.kill("kube-apiserver");
        plane.start("kube-apiserver");
        await plane.waitUntilReady();
      },
      close: async () => {
        await plane.stop();
        await rm(folder, { recursive: true });
      },
    };
  });
});
