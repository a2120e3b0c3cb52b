// Every setting of every role, in one schema. The table in docs/configuration.md is generated from it. Values come from the
// environment only; a wrong one stops the process with its name, what is wrong, and an example.

import { availableParallelism, hostname } from "node:os";
import { validate } from "node-cron";
import { z } from "zod";
import { failure, type FieldError } from "../core/errors.ts";
import { LOG_LEVELS } from "../lifecycle/log.ts";
import { findStorageFault } from "../objects/storage-url.ts";
import { findKeyFault } from "../store/sealing.ts";

const integer = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const seconds = (max: number) => z.coerce.number().positive().max(max);
const names = z
  .string()
  .transform((text) => text.split(",").map((name) => name.trim()))
  .pipe(z.array(z.string().min(1)));

const encryptionKey = z.string().superRefine((key, context) => {
  const fault = findKeyFault(key);
  if (fault !== null) context.addIssue({ code: "custom", message: fault });
});

const storage = z.string().superRefine((place, context) => {
  const fault = findStorageFault(place);
  if (fault !== null) context.addIssue({ code: "custom", message: fault });
});

interface Setting<Schema extends z.ZodType = z.ZodType> {
  schema: Schema;
  /** As it would be written in the environment; null: none, and the roles that need it say so. */
  fallback: string | null;
  example: string;
  description: string;
}

const setting = <Schema extends z.ZodType>(
  schema: Schema,
  fallback: string | null,
  example: string,
  description: string,
): Setting<Schema> => ({ schema, fallback, example, description });

export const SETTINGS = {
  WINDLASS_DATABASE_URL: setting(
    z.url({ protocol: /^postgres(ql)?$/ }),
    null,
    "postgres://windlass:secret@db:5432/windlass",
    "Postgres 14 to 18. Needed by scheduler, api and migrate; standalone brings its own.",
  ),
  WINDLASS_DATABASE_POOL_SIZE: setting(integer(2, 500), "10", "10", "Connections of one process to Postgres, at most."),
  WINDLASS_DAGS_FOLDER: setting(z.string().min(1), "dags", "/opt/windlass/dags", "The folder with the DAG files."),
  WINDLASS_EXECUTOR: setting(
    z.enum(["kubernetes", "local"]),
    "kubernetes",
    "kubernetes",
    "Where attempts run: `kubernetes` (a pod each) or `local` (a child process each).",
  ),
  WINDLASS_LOG_LEVEL: setting(z.enum(LOG_LEVELS), "info", "debug", "How much is logged, as JSON lines on stderr."),
  WINDLASS_LISTEN_HOST: setting(
    z.string().min(1),
    "0.0.0.0",
    "127.0.0.1",
    "Address that the API listens on; standalone's default is 127.0.0.1.",
  ),
  WINDLASS_LISTEN_PORT: setting(integer(0, 65_535), "8080", "8080", "Port that the API listens on."),
  WINDLASS_PROBE_PORT: setting(
    integer(0, 65_535),
    "8081",
    "8081",
    "Port on which the scheduler answers /livez, /readyz and /metrics.",
  ),
  WINDLASS_API_URL: setting(
    z.url({ protocol: /^https?$/ }),
    null,
    "http://windlass-api:8080",
    "The API's address as workers and commands reach it. Needed by the scheduler; commands look on this machine without it.",
  ),
  WINDLASS_API_TOKEN: setting(
    z.string().min(1),
    null,
    "eyJhbGciOi…",
    "A token of `POST /auth/token`, for commands that ask the API; without it they sign in with the password.",
  ),
  WINDLASS_ADMIN_PASSWORD: setting(
    z.string().min(8),
    null,
    "a long passphrase",
    "Password of the user `admin`; without it one is made and printed once.",
  ),
  WINDLASS_ENCRYPTION_KEYS: setting(
    names.pipe(z.array(encryptionKey)),
    null,
    "Base64Of32RandomBytes=",
    "Keys that variables and connections are stored under, the current one first; `windlass rotate-keys` moves all to it. Needed by api and scheduler once there are any; standalone makes one.",
  ),
  WINDLASS_STORAGE: setting(
    storage,
    "postgres",
    "s3://bucket/prefix?region=eu-west-1",
    "Where files of tasks are kept, and logs of ended attempts: `postgres`, a directory that scheduler and api share (`file:///path`), or S3 (`s3://bucket/prefix?region=…&endpoint=…`, credentials as the AWS SDK finds them).",
  ),
  WINDLASS_PARALLELISM: setting(
    integer(1, 100_000),
    "256",
    "256",
    "Task instances queued or running at once, without those in the clusters of WINDLASS_CLUSTERS: there, as many again in each, or as its entry says.",
  ),
  WINDLASS_INFRASTRUCTURE_RETRIES: setting(
    integer(0, 100),
    "3",
    "3",
    "Faults of the cluster that one task instance may suffer before it fails; they never spend its own retries.",
  ),
  WINDLASS_HEARTBEAT_INTERVAL: setting(seconds(60), "5", "5", "Seconds between a worker's heartbeats."),
  WINDLASS_HEARTBEAT_TIMEOUT: setting(
    seconds(86_400),
    "300",
    "300",
    "Seconds without contact after which a worker stops itself; 30 seconds later it is replaced.",
  ),
  WINDLASS_LAUNCH_TIMEOUT: setting(
    seconds(86_400),
    "600",
    "600",
    "Seconds that the launch of one attempt is repeated for while the cluster refuses it (quota, overload).",
  ),
  WINDLASS_START_TIMEOUT: setting(
    seconds(604_800),
    "1800",
    "1800",
    "Seconds from launch until the worker must have started.",
  ),
  WINDLASS_IMAGE_TIMEOUT: setting(seconds(86_400), "120", "120", "Seconds that an image may fail to be pulled."),
  WINDLASS_CONFIGURATION_TIMEOUT: setting(
    seconds(86_400),
    "60",
    "60",
    "Seconds that a container may fail to be made, for example for a missing Secret.",
  ),
  WINDLASS_EVALUATION_TIMEOUT: setting(
    seconds(600),
    "10",
    "10",
    "Seconds that the evaluation of one DAG file may take.",
  ),
  WINDLASS_EVALUATION_MEMORY: setting(
    integer(32, 65_536),
    "256",
    "256",
    "MiB that the evaluation of one DAG file may use.",
  ),
  WINDLASS_LAUNCH_CONCURRENCY: setting(
    integer(1, 1_000),
    "32",
    "32",
    "Pods that one scheduler creates at once, in each cluster.",
  ),
  WINDLASS_LOCAL_SLOTS: setting(
    integer(1, 1_000),
    String(Math.max(2, availableParallelism())),
    "4",
    "Processes that the local executor runs at once; the default is the number of cores.",
  ),
  WINDLASS_NAMESPACES: setting(
    names,
    null,
    "etl,reports",
    "Namespaces that task pods may run in, the default one first. Without it: that of the scheduler's own pod, or `default`.",
  ),
  WINDLASS_WORKER_IMAGE: setting(
    z.string().min(1),
    null,
    "registry.example/windlass:0.1.0",
    "Image of task pods. Needed by the Kubernetes executor, and with WINDLASS_CLUSTERS.",
  ),
  WINDLASS_POD_TEMPLATE: setting(
    z.string().min(1),
    null,
    "/etc/windlass/pod.yaml",
    "A YAML file with a partial Pod that every task pod starts from.",
  ),
  WINDLASS_POD_POLICY: setting(
    z.string().min(1),
    null,
    "/etc/windlass/policy.mjs",
    "A module of the administrator's whose default export, `(pod, task) => pod`, may change every task pod, or refuse it by throwing.",
  ),
  WINDLASS_KUBECONFIG: setting(
    z.string().min(1),
    null,
    "/home/me/.kube/config",
    "A kubeconfig file, to run the scheduler outside the cluster. Without it: KUBECONFIG, then the pod's own service account.",
  ),
  WINDLASS_CLUSTERS: setting(
    z.string().min(1),
    null,
    "/etc/windlass/clusters/clusters.yaml",
    "A YAML file with the other clusters that `kubernetesPod` tasks may name: for each its `kubeconfig`, `namespaces`, and optionally `context`, `apiUrl` and `parallelism`; see [kubernetes-pod.md](kubernetes-pod.md#pods-in-another-cluster).",
  ),
  WINDLASS_RETENTION_DAYS: setting(
    integer(0, 36_500),
    "0",
    "90",
    "Days that ended runs are kept, with their logs and results; 0 keeps them for ever.",
  ),
  WINDLASS_UPKEEP_SCHEDULE: setting(
    z.string().refine(validate, "not a cron expression"),
    "17 3 * * *",
    "17 3 * * *",
    "When history older than that is deleted, in UTC.",
  ),
  WINDLASS_DATA_FOLDER: setting(
    z.string().min(1),
    ".windlass",
    "/var/lib/windlass",
    "Where standalone keeps its Postgres and the local executor its process files.",
  ),
} as const satisfies Record<string, Setting>;

type Settings = typeof SETTINGS;
export type SettingName = keyof Settings;
type NeededNames = { [Name in SettingName]: Settings[Name]["fallback"] extends null ? never : Name }[SettingName];

/** Values by setting name; those without a fallback may be undefined. */
export type Configuration = { [Name in NeededNames]: z.output<Settings[Name]["schema"]> } & {
  [Name in Exclude<SettingName, NeededNames>]: z.output<Settings[Name]["schema"]> | undefined;
};

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * @param overrides values that a command sets itself where the environment does not
 * Errors: invalid_configuration, naming every wrong setting at once.
 */
export function readConfiguration(
  environment: Environment,
  overrides: Partial<Record<SettingName, string>> = {},
  required: readonly SettingName[] = [],
): Configuration {
  const values: Record<string, unknown> = {};
  const errors: FieldError[] = [];
  for (const [name, { schema, fallback, example }] of Object.entries(SETTINGS) as [SettingName, Setting][]) {
    const text = environment[name] || overrides[name] || fallback;
    if (text === null) {
      if (required.includes(name))
        errors.push({ path: name, message: `is not set; an example is ${name}="${example}"` });
      continue;
    }
    const parsed = schema.safeParse(text);
    if (parsed.success) values[name] = parsed.data;
    else {
      const why = parsed.error.issues.map((issue) => issue.message).join("; ");
      errors.push({
        path: name,
        message: `is "${SECRETS.has(name) ? "***" : text}": ${why}; an example is ${name}="${example}"`,
      });
    }
  }
  if (errors.length > 0) {
    throw failure("invalid_configuration", errors.map((error) => `${error.path} ${error.message}`).join("\n"), {
      errors,
    });
  }
  return values as Configuration;
}

/** An address that is not valid does not tell where its password ends. */
const SECRETS: ReadonlySet<string> = new Set<SettingName>([
  "WINDLASS_DATABASE_URL",
  "WINDLASS_ADMIN_PASSWORD",
  "WINDLASS_API_TOKEN",
  "WINDLASS_ENCRYPTION_KEYS",
]);

/** The table of docs/configuration.md. */
export function describeConfiguration(): string {
  const rows = (Object.entries(SETTINGS) as [SettingName, Setting][]).map(
    ([name, { fallback, example, description }]) => {
      const shown = name === "WINDLASS_LOCAL_SLOTS" ? "cores" : fallback === null ? "" : `\`${fallback}\``;
      return `| \`${name}\` | ${shown} | \`${example}\` | ${description} |`;
    },
  );
  return ["| variable | default | example | meaning |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** Tells this process from others in claims, leases and logs. */
export function nameProcess(kind: string, newId: () => string): string {
  return `${kind}-${hostname()}-${newId().slice(0, 8)}`;
}
