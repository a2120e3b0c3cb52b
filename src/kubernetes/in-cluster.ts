// Credentials of a pod's service account. The kubelet replaces the token file well before the token expires, so the file
// is read again every minute, and at once after the server refused it.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "../core/errors.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { Logger } from "../lifecycle/log.ts";
import { cacheCredentials, type CredentialsSource } from "./credentials.ts";

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const TOKEN_MAX_AGE_MS = 60_000;

export interface InClusterOptions {
  inCluster: true;
  /** Address of the API server; the cluster's DNS name for it when left out. */
  server?: string;
  /** Folder with `token` and `ca.crt`. */
  directory?: string;
}

export function inClusterCredentials(options: InClusterOptions, clock: Clock, log: Logger): CredentialsSource {
  const directory = options.directory ?? SERVICE_ACCOUNT;
  const server = options.server ?? "https://kubernetes.default.svc";
  const read = (file: string) =>
    readFile(join(directory, file), "utf8").catch((error: unknown) => {
      throw failure(
        "invalid_configuration",
        `${join(directory, file)} cannot be read; is automountServiceAccountToken on for this pod?`,
        { cause: error },
      );
    });
  return cacheCredentials({
    clock,
    maxAgeMs: TOKEN_MAX_AGE_MS,
    load: async () => {
      const [token, ca] = await Promise.all([read("token"), read("ca.crt")]);
      return { server, tls: { ca }, headers: { authorization: `Bearer ${token.trim()}` } };
    },
    onStale: (error) => log.warn({ err: error }, "the service account's token could not be read again"),
  });
}
