import { randomUUID } from "node:crypto";
import { mkdtemp, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { identifyCluster } from "../../src/kubernetes/cluster-identity.ts";
import { createKubernetesHttp } from "../../src/kubernetes/http.ts";
import { inClusterCredentials } from "../../src/kubernetes/in-cluster.ts";
import {
  isAlreadyExists,
  isConflict,
  isForbidden,
  isInvalid,
  isKubernetesError,
  isNotFound,
  isQuota,
} from "../../src/kubernetes/kubernetes-error.ts";
import { buildPod } from "../../src/kubernetes/pod-manifest.ts";
import { createPod, deletePod, getPod, listPods } from "../../src/kubernetes/pods.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import {
  call,
  connect,
  createNamespace,
  kubeconfigThrough,
  makeOrder,
  quiet,
  serverAddress,
  UNSCHEDULED,
} from "../support/api-server.ts";
import { startFaultProxy } from "../support/fault-proxy.ts";

const http = connect();
let namespace = "";

beforeAll(async () => {
  namespace = await createNamespace(http);
});
afterAll(async () => {
  await call(http, "DELETE", `/api/v1/namespaces/${namespace}`);
  await http.close();
});

function manifest(more: Partial<Parameters<typeof buildPod>[0]> = {}) {
  const order = makeOrder(namespace);
  return buildPod({
    ...order,
    cluster: null,
    namespace,
    installationId: "test",
    image: "registry.example/windlass:1",
    command: ["windlass", "worker"],
    environment: { WINDLASS_ATTEMPT_ID: order.attempt_id },
    container: null,
    helper: null,
    template: UNSCHEDULED,
    ...more,
  });
}
const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

describe("pod calls", () => {
  test("create, get, list in pages, delete by uid", async () => {
    const made = await Promise.all(
      Array.from({ length: 7 }, () => createPod(http, namespace, manifest({ installationId: "paged" }))),
    );
    const first = made[0];
    if (first === undefined) throw new Error("nothing was made");
    expect(await getPod(http, namespace, first.name)).toMatchObject({ uid: first.uid, deleting: false });

    const pages = await Array.fromAsync(
      listPods(http, namespace, { selector: "windlass.dev/installation=paged", pageSize: 3 }),
    );
    expect(pages.map((page) => page.pods.length)).toEqual([3, 3, 1]);
    expect(new Set(pages.map((page) => page.resource_version)).size).toBe(1);
    expect(new Set(pages.flatMap((page) => page.pods.map((pod) => pod.uid)))).toEqual(
      new Set(made.map((pod) => pod.uid)),
    );

    expect(isConflict(await errorOf(deletePod(http, namespace, first.name, { uid: randomUUID() })))).toBe(true);
    await deletePod(http, namespace, first.name, { uid: first.uid });
    expect(isNotFound(await errorOf(getPod(http, namespace, first.name)))).toBe(true);
  });

  test("the default pod passes Pod Security restricted, also with an author's sidecar", async () => {
    const strict = await createNamespace(http);
    await call(http, "PATCH", `/api/v1/namespaces/${strict}`, {
      metadata: { labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
    });
    const pod = {
      spec: {
        containers: [{ name: "proxy", image: "proxy:1" }],
        initContainers: [{ name: "fetch", image: "fetch:1" }],
      },
    };
    await expect(createPod(http, strict, manifest({ namespace: strict, pod }))).resolves.toMatchObject({
      namespace: strict,
    });
    const open = {
      spec: { containers: [{ name: "base", securityContext: { privileged: true, allowPrivilegeEscalation: true } }] },
    };
    const refused = await errorOf(createPod(http, strict, manifest({ namespace: strict, pod: open })));
    expect(isForbidden(refused)).toBe(true);
    expect(String(refused)).toContain('violates PodSecurity "restricted:latest"');
    await call(http, "DELETE", `/api/v1/namespaces/${strict}`);
  });

  test("errors are told apart", async () => {
    const twice = manifest();
    await createPod(http, namespace, twice);
    expect(isAlreadyExists(await errorOf(createPod(http, namespace, twice)))).toBe(true);

    const misspelt = await errorOf(createPod(http, namespace, manifest({ pod: { spec: { nodeSelektor: {} } } })));
    expect(isInvalid(misspelt)).toBe(true);
    expect(String(misspelt)).toContain('unknown field "spec.nodeSelektor"');

    const invalid = await errorOf(createPod(http, namespace, manifest({ pod: { spec: { dnsPolicy: "Sometimes" } } })));
    expect(isKubernetesError(invalid) && invalid.code).toBe(422);
    expect(isKubernetesError(invalid) && invalid.causes.map((cause) => cause.field)).toContain("spec.dnsPolicy");
    expect(isKubernetesError(invalid) && invalid.uncertain).toBe(false);

    const limited = await createNamespace(http);
    await call(http, "POST", `/api/v1/namespaces/${limited}/resourcequotas`, {
      metadata: { name: "none" },
      spec: { hard: { pods: "0" } },
    });
    await call(http, "PATCH", `/api/v1/namespaces/${limited}/resourcequotas/none/status`, {
      status: { hard: { pods: "0" }, used: { pods: "0" } },
    });
    const quota = await errorOf(createPod(http, limited, manifest({ namespace: limited })));
    expect(isQuota(quota)).toBe(true);
    expect(isForbidden(quota)).toBe(false);
    await call(http, "DELETE", `/api/v1/namespaces/${limited}`);
  });

  test("nobody listening and a deadline are errors of their own", async () => {
    const dead = connect(await kubeconfigThrough(1));
    expect(await errorOf(createPod(dead, namespace, manifest()))).toMatchObject({
      reason: "Unreachable",
      uncertain: false,
      code: 0,
    });
    await dead.close();

    const proxy = await startFaultProxy(...addressOf(await serverAddress(http)));
    const through = connect(await kubeconfigThrough(proxy.port), 1);
    const pod = await createPod(through, namespace, manifest());
    proxy.blackHole();
    const late = await errorOf(
      through.call({
        method: "DELETE",
        path: `/api/v1/namespaces/${namespace}/pods/${pod.name}`,
        verb: "delete",
        resource: "pods",
        namespace,
        deadlineMs: 300,
      }),
    );
    expect(late).toMatchObject({ reason: "Timeout", uncertain: true });
    await through.close();
    await proxy.close();
  });

  test("500 creates over TLS open no more connections than the pool has", async () => {
    const proxy = await startFaultProxy(...addressOf(await serverAddress(http)));
    const pooled = connect(await kubeconfigThrough(proxy.port), 16);
    const began = performance.now();
    await Promise.all(Array.from({ length: 500 }, () => createPod(pooled, namespace, manifest())));
    const seconds = (performance.now() - began) / 1000;
    console.log(`500 creates: ${proxy.accepted()} connections, ${Math.round(500 / seconds)} creates/s`);
    expect(proxy.accepted()).toBeLessThanOrEqual(16);
    await pooled.close();
    await proxy.close();
  });
});

describe("credentials of a service account", () => {
  test("a rotated token is picked up after a 401; a missing permission is named", async () => {
    await call(http, "POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: "windlass" } });
    await call(http, "POST", `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`, {
      metadata: { name: "reader" },
      rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }],
    });
    await call(http, "POST", `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
      metadata: { name: "reader" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" },
      subjects: [{ kind: "ServiceAccount", name: "windlass", namespace }],
    });
    const issue = async () => {
      const answer = await call(http, "POST", `/api/v1/namespaces/${namespace}/serviceaccounts/windlass/token`, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { expirationSeconds: 600 },
      });
      return (answer as { status: { token: string } }).status.token;
    };
    const directory = await mkdtemp(join(tmpdir(), "serviceaccount-"));
    const admin = await http.credentials.current();
    await writeFile(join(directory, "ca.crt"), admin.tls.ca ?? "");
    const putToken = async (token: string) => {
      await writeFile(join(directory, "token.new"), `${token}\n`);
      await rename(join(directory, "token.new"), join(directory, "token"));
    };
    const source = inClusterCredentials({ inCluster: true, server: admin.server, directory }, systemClock, quiet);
    const codes: number[] = [];
    const own = createKubernetesHttp({
      clock: systemClock,
      maxConnections: 8,
      onRequest: (record) => codes.push(record.code),
      credentials: source,
    });
    const list = () => Array.fromAsync(listPods(own, namespace, { selector: "none=none" }));

    await putToken("expired");
    expect(await errorOf(list())).toMatchObject({ code: 401 });
    expect(codes).toEqual([401, 401]);
    await putToken(await issue());
    codes.length = 0;
    await Promise.all(Array.from({ length: 10 }, list));
    expect(codes.filter((code) => code === 200)).toHaveLength(10);
    expect(codes).toContain(401);

    const forbidden = await errorOf(createPod(own, namespace, manifest()));
    expect(isForbidden(forbidden)).toBe(true);
    expect(String(forbidden)).toContain(`cannot create pods in namespace "${namespace}"`);
    // Not even kube-system may be seen: the cluster is known by its address and CA.
    expect(await identifyCluster(own)).toMatch(/^[0-9a-f]{32}$/);
    expect(await identifyCluster(http)).toMatch(/^[0-9a-f-]{36}$/);
    await own.close();
  });
});

function addressOf(address: { host: string; port: number }): [string, number] {
  return [address.host, address.port];
}
