// An etcd and a kube-apiserver of the soak's own, on free ports of loopback: beside any other cluster of this machine. The
// binaries are those of the cluster harness (test/cluster/cluster build).

import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { access, mkdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findFreePort } from "../../src/cli/free-port.ts";
import type { KubernetesHttp } from "../../src/kubernetes/http.ts";
import { connect } from "../support/api-server.ts";
import { pollUntil } from "../cluster/support/poll.ts";
import { spawnTied } from "./child.ts";

const run = promisify(execFile);
const READY_MS = 60_000;

export type PlaneComponent = "etcd" | "kube-apiserver";

export interface ControlPlane {
  kubeconfig: string;
  port: number;
  /** Straight to the API server, with every permission. */
  http: KubernetesHttp;
  /** kill -9; resolves when it is gone. */
  kill(name: PlaneComponent): Promise<void>;
  start(name: PlaneComponent): void;
  pid(name: PlaneComponent): number | null;
  waitUntilReady(): Promise<void>;
  /** etcd keeps nothing of what was before now; the API server's cache may, until it is started anew. */
  compact(): Promise<void>;
  stop(): Promise<void>;
}

export async function findBinaries(): Promise<string> {
  const folder = join(process.env["CLUSTER_HOME"] ?? join(homedir(), ".cache/windlass/cluster"), "bin");
  await access(join(folder, "kube-apiserver")).catch((error: unknown) => {
    throw new Error(`there is no kube-apiserver in ${folder}: run test/cluster/cluster build`, { cause: error });
  });
  return folder;
}

export async function startControlPlane(folder: string): Promise<ControlPlane> {
  const bin = await findBinaries();
  const [port, clients, peers] = await Promise.all([findFreePort(), findFreePort(), findFreePort()]);
  const pki = join(folder, "pki");
  await mkdir(pki, { recursive: true });
  await makeCertificates(pki);
  const kubeconfig = join(folder, "kubeconfig");
  await writeFile(kubeconfig, describeKubeconfig(pki, port));
  const etcd = `http://127.0.0.1:${clients}`;
  const commands: Record<PlaneComponent, string[]> = {
    etcd: [
      `--data-dir=${join(folder, "etcd")}`,
      "--unsafe-no-fsync",
      `--listen-client-urls=${etcd}`,
      `--advertise-client-urls=${etcd}`,
      `--listen-peer-urls=http://127.0.0.1:${peers}`,
    ],
    "kube-apiserver": [
      `--etcd-servers=${etcd}`,
      "--bind-address=127.0.0.1",
      "--advertise-address=127.0.0.1",
      "--endpoint-reconciler-type=none",
      `--secure-port=${port}`,
      `--tls-cert-file=${pki}/apiserver.crt`,
      `--tls-private-key-file=${pki}/apiserver.key`,
      `--client-ca-file=${pki}/ca.crt`,
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${pki}/sa.pub`,
      `--service-account-signing-key-file=${pki}/sa.key`,
      "--service-cluster-ip-range=10.96.0.0/16",
      "--authorization-mode=RBAC",
    ],
  };
  const processes = new Map<PlaneComponent, ChildProcess>();
  const output = createWriteStream(join(folder, "control-plane.log"), { flags: "a" });
  const start = (name: PlaneComponent) => {
    const child = spawnTied(join(bin, name), commands[name], { cwd: folder });
    child.stdout.pipe(output, { end: false });
    child.stderr.pipe(output, { end: false });
    processes.set(name, child);
  };
  const kill = async (name: PlaneComponent) => {
    const child = processes.get(name);
    processes.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  const http = connect(kubeconfig, 32);
  const stop = async () => {
    await http.close();
    await kill("kube-apiserver");
    await kill("etcd");
  };
  const waitUntilReady = async () => {
    const ask = () =>
      http
        .call({
          method: "GET",
          path: "/api/v1/namespaces/default",
          verb: "get",
          resource: "namespaces",
          namespace: null,
          deadlineMs: 2_000,
        })
        .then(
          () => "",
          (error: unknown) => String(error),
        );
    await pollUntil(
      ask,
      (fault) => fault === "",
      (fault) => `the API server is not ready: ${fault}`,
      READY_MS,
    );
  };
  const compact = async () => {
    const ask = async (method: string, body: object) => {
      const answer = await fetch(`${etcd}/v3/kv/${method}`, { method: "POST", body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`etcd answers ${answer.status} to ${method}: ${await answer.text()}`);
      return (await answer.json()) as { header: { revision: string } };
    };
    const { header } = await ask("range", { key: "Lw==" });
    await ask("compaction", { revision: header.revision, physical: true });
  };
  start("etcd");
  start("kube-apiserver");
  try {
    await waitUntilReady();
  } catch (error) {
    await stop();
    throw error;
  }
  const pid = (name: PlaneComponent) => processes.get(name)?.pid ?? null;
  return { kubeconfig, port, http, kill, start, pid, waitUntilReady, compact, stop };
}

async function makeCertificates(folder: string): Promise<void> {
  const openssl = (...args: string[]) => run("openssl", args, { cwd: folder });
  const ca = ["-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "2"];
  await openssl("req", ...ca, "-subj", "/CN=soak");
  await writeFile(join(folder, "extensions"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
  for (const [name, subject] of [
    ["apiserver", "/CN=kube-apiserver"],
    ["admin", "/O=system:masters/CN=admin"],
  ] as const) {
    const request = ["-newkey", "rsa:2048", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.csr`];
    await openssl("req", ...request, "-subj", subject);
    const signing = ["-req", "-in", `${name}.csr`, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    await openssl("x509", ...signing, "-days", "2", "-extfile", "extensions", "-out", `${name}.crt`);
  }
  await openssl("genrsa", "-out", "sa.key", "2048");
  await openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub");
}

function describeKubeconfig(pki: string, port: number): string {
  return `apiVersion: v1
kind: Config
clusters: [{name: soak, cluster: {server: "https://127.0.0.1:${port}", certificate-authority: ${pki}/ca.crt}}]
users: [{name: admin, user: {client-certificate: ${pki}/admin.crt, client-key: ${pki}/admin.key}}]
contexts: [{name: soak, context: {cluster: soak, user: admin}}]
current-context: soak
`;
}
