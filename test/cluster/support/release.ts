// A release of the chart in a namespace that enforces Pod Security "restricted", used as people use it: helm, kubectl, and
// the REST API through a forwarded port.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createRestClient, type RestClient } from "../../../src/cli/rest-client.ts";
import { tokenAnswer } from "../../../src/contract/rest-installation.ts";
import type { KubernetesHttp } from "../../../src/kubernetes/http.ts";
import { call, createNamespace } from "../../support/api-server.ts";
import { mustRun, runCommand } from "../../support/command.ts";
import { testImage } from "./windlass.ts";

export const CHART = fileURLToPath(new URL("../../../charts/windlass", import.meta.url));

const TIMEOUT = "120s";

/** `kubectl` in one namespace. */
export function kubectl(namespace: string, ...args: string[]): Promise<string> {
  return mustRun("kubectl", ["--namespace", namespace, ...args]);
}

export async function createRestrictedNamespace(http: KubernetesHttp): Promise<string> {
  const name = await createNamespace(http);
  await restrictNamespace(http, name);
  return name;
}

export async function restrictNamespace(http: KubernetesHttp, name: string): Promise<void> {
  const labels = Object.fromEntries(
    ["enforce", "warn"].map((mode) => [`pod-security.kubernetes.io/${mode}`, "restricted"]),
  );
  await call(http, "PATCH", `/api/v1/namespaces/${name}`, { metadata: { labels } });
}

/** See next-image; unset on a cluster that has none. */
export const nextImage = process.env["WINDLASS_TEST_NEXT_IMAGE"];

/** See git-image; also the sidecar, in the place of git-sync. */
export const gitImage = process.env["WINDLASS_TEST_GIT_IMAGE"];

/** Values that name the images as this cluster has them. */
export function imageValues(): string[] {
  const [repository, tag] = splitImage(testImage());
  const values = [`image.repository=${repository}`, `image.tag=${tag}`];
  const postgres = process.env["WINDLASS_TEST_POSTGRES_IMAGE"];
  if (postgres) {
    const [name, version] = splitImage(postgres);
    values.push(`postgresql.image.repository=${name}`, `postgresql.image.tag=${version}`);
  }
  return values;
}

export function splitImage(image: string): [repository: string, tag: string] {
  const colon = image.lastIndexOf(":");
  return [image.slice(0, colon), image.slice(colon + 1)];
}

/** `helm install`, `upgrade` or `rollback` to the revision before, until all of it is ready. Returns the notes; whatever the API server warns of is an error. */
export async function runHelm(
  verb: "install" | "upgrade" | "rollback",
  namespace: string,
  release: string,
  values: readonly string[],
): Promise<string> {
  const what = verb === "rollback" ? [release] : [release, CHART];
  const args = [verb, ...what, "--namespace", namespace, "--wait", "--timeout", TIMEOUT];
  if (verb === "upgrade") args.push("--reset-then-reuse-values");
  const { code, stdout, stderr } = await runCommand("helm", [...args, ...values.flatMap((value) => ["--set", value])]);
  if (code !== 0) {
    const pods = await kubectl(namespace, "describe", "pods");
    throw new Error(`helm ${verb} ended with ${code}: ${stderr}\n${pods}`);
  }
  if (stderr.trim() !== "") throw new Error(`helm ${verb} warns: ${stderr}`);
  return stdout;
}

/** Names of one kind's objects. */
export async function listNames(namespace: string, kind: string): Promise<string[]> {
  const text = await kubectl(namespace, "get", kind, "--output", "jsonpath={.items[*].metadata.name}");
  return text.split(" ").filter((name) => name !== "");
}

export interface Forward {
  readonly url: string;
  stop(): Promise<void>;
}

/** `kubectl port-forward` to a Service: to one of its pods, and it ends with that pod. */
export async function forwardPort(namespace: string, service: string): Promise<Forward> {
  const child = spawn("kubectl", ["--namespace", namespace, "port-forward", `service/${service}`, ":8080"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const said = once(child.stdout, "data").then(([chunk]) => String(chunk));
  const line = await Promise.race([said, exited.then(() => "")]);
  const port = /127\.0\.0\.1:(\d+)/.exec(line)?.[1];
  if (port === undefined) throw new Error(`kubectl port-forward does not forward: ${line}`);
  // Whatever it says later must not fill the pipe.
  child.stdout.resume();
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill();
        await exited;
      }
    },
  };
}

/** As NOTES.txt says: the password is in a Secret. */
export async function signInWith(url: string, namespace: string, secret: string): Promise<RestClient> {
  const encoded = await kubectl(namespace, "get", "secret", secret, "--output", "jsonpath={.data.password}");
  const password = Buffer.from(encoded, "base64").toString();
  const answer = await createRestClient(url, null).post("/auth/token", { username: "admin", password }, tokenAnswer);
  return createRestClient(url, answer.access_token);
}
