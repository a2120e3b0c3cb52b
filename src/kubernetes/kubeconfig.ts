// Credentials out of a kubeconfig: client certificates, tokens, exec plugins and the rest of what @kubernetes/client-node
// understands. It is imported only when a kubeconfig is used (0.4 s and 60 MB), and only to read the file and to sign in:
// its HTTP client opens a connection per call. After a 401 the file is read anew, because the plugin's answer is cached in
// the object.

import type { RequestOptions } from "node:https";
import { failure, messageOf } from "../core/errors.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import { cacheCredentials, type Credentials, type CredentialsSource } from "./credentials.ts";

const MAX_AGE_MS = 30_000;
// A plugin may ask a far away identity provider; one that hangs must not hold every call for ever.
const SIGN_IN_TIMEOUT_MS = 60_000;

export interface KubeconfigOptions {
  kubeconfigPath: string;
  /** The file's current context when left out. */
  context?: string;
}

export function kubeconfigCredentials(options: KubeconfigOptions, clock: Clock, log: Logger): CredentialsSource {
  let loaded: Promise<SignIn> | null = null;
  return cacheCredentials({
    clock,
    maxAgeMs: MAX_AGE_MS,
    load: async (fresh) => {
      if (fresh) loaded = null;
      loaded ??= openKubeconfig(options).catch((error: unknown) => {
        loaded = null;
        throw error;
      });
      const signIn = await loaded;
      const done = new AbortController();
      const overdue = clock.sleep(SIGN_IN_TIMEOUT_MS, done.signal).then(() => {
        if (done.signal.aborted) return null;
        throw failure("unavailable", `signing in with ${options.kubeconfigPath} took more than a minute`);
      });
      try {
        const credentials = await Promise.race([signIn(), overdue]);
        if (credentials === null) throw failure("internal", "the sign-in deadline ended before the sign-in");
        return credentials;
      } finally {
        done.abort();
      }
    },
    onStale: (error) => log.warn({ err: error }, "signing in again with the kubeconfig failed"),
  });
}

type SignIn = () => Promise<Credentials>;

async function openKubeconfig(options: KubeconfigOptions): Promise<SignIn> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  try {
    config.loadFromFile(options.kubeconfigPath);
  } catch (error) {
    // Only what is wrong and where: the rest of it, and the cause, quote lines of the file, which holds credentials.
    throw failure(
      "invalid_configuration",
      `the kubeconfig ${options.kubeconfigPath} cannot be read: ${messageOf(error).split("\n")[0] ?? ""}`,
    );
  }
  if (options.context !== undefined) config.setCurrentContext(options.context);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw failure(
      "invalid_configuration",
      `the kubeconfig ${options.kubeconfigPath} has no cluster for the context "${config.getCurrentContext() ?? ""}"`,
    );
  }
  if (cluster.proxyUrl !== undefined) {
    throw failure(
      "invalid_configuration",
      `proxy-url of cluster "${cluster.name}" in ${options.kubeconfigPath} is not supported`,
    );
  }
  return async () => {
    const request: RequestOptions = {};
    await config.applyToHTTPSOptions(request);
    return { server: cluster.server, tls: readTls(request), headers: readHeaders(request) };
  };
}

function readTls(request: RequestOptions): Credentials["tls"] {
  const tls: Credentials["tls"] = {};
  const [ca, cert, key] = [readPem(request.ca), readPem(request.cert), readPem(request.key)];
  if (ca !== null) tls.ca = ca;
  if (cert !== null) tls.cert = cert;
  if (key !== null) tls.key = key;
  if (request.servername) tls.servername = request.servername;
  if (request.rejectUnauthorized !== undefined) tls.rejectUnauthorized = request.rejectUnauthorized;
  return tls;
}

function readHeaders(request: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    if (typeof value === "string") headers[name.toLowerCase()] = value;
  }
  if (request.auth) headers["authorization"] ??= `Basic ${Buffer.from(request.auth).toString("base64")}`;
  return headers;
}

function readPem(value: unknown): string | null {
  if (Buffer.isBuffer(value)) return value.toString("utf8");
  return typeof value === "string" ? value : null;
}
