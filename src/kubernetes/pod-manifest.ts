// The pod of an attempt, in four layers, each laid over the one before (strategic-merge.ts):
//   defaults    what every pod gets unless someone says otherwise; they pass Pod Security "restricted"
//   template    the installation's base pod
//   identity    names, labels, annotations, the worker's image, command and environment
//   task        the author's partial pod
//   container   of tasks that run an image of their own, in place of the worker: image, command, arguments, environment
// The author's word is last, but not on what the installation finds and fences its pods by: that is checked at the end.

import { failure, type FieldError } from "../core/errors.ts";
import type { ResolvedContainer } from "../core/container.ts";
import { RESULT_CONTAINER } from "../core/container-result.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { MAIN_CONTAINER } from "../core/pod-snapshot.ts";
import { raiseMemory } from "../core/memory-growth.ts";
import { ANNOTATIONS, LABELS, labelValue } from "./pod-labels.ts";
import { mergePods } from "./strategic-merge.ts";

export interface PodManifestInput {
  attempt_id: string;
  epoch: number;
  dag_id: string;
  run_id: string;
  task_id: string;
  map_index: number;
  try_number: number;
  /** Null: the installation's own. */
  cluster: string | null;
  namespace: string;
  pod_name: string;
  installationId: string;
  image: string;
  command: readonly string[];
  /** The worker's environment; no layer may set these names. */
  environment: Readonly<Record<string, string>>;
  /** In place of the worker. */
  container: ResolvedContainer | null;
  /** Environment of the helper that delivers the container's result; null: there is none. */
  helper: Readonly<Record<string, string>> | null;
  template: JsonObject | null;
  pod: JsonObject | null;
  /** Bytes; see core/memory-growth.ts. */
  memory_floor: bigint | null;
}

const RESTRICTED_CONTAINER: JsonObject = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
};

const DEFAULTS: JsonObject = {
  spec: {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 30,
    // Numeric, because the kubelet cannot tell whether an image's named user is root.
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [
      {
        name: MAIN_CONTAINER,
        // The root file system is the container's own to write to: a read-only one would need a volume for /tmp, and the
        // kubelet looks for mounted volumes every 300 ms, which is a third of a short task's time.
        securityContext: RESTRICTED_CONTAINER,
        resources: { requests: { cpu: "50m", memory: "96Mi" } },
        terminationMessagePolicy: "FallbackToLogsOnError",
      },
    ],
  },
};

/** Throws `invalid_configuration` naming the field that is wrong. */
export function buildPod(input: PodManifestInput): JsonObject {
  const identity = identityOf(input);
  checkLayer(input.template ?? {}, "the installation's pod template", input);
  checkLayer(input.pod ?? {}, `the pod of task ${input.task_id}`, input);
  const container = input.container === null ? {} : containerLayer(input.container);
  const layers = [input.template ?? {}, identity, input.pod ?? {}, container, resultLayer(input)];
  const merged = layers.reduce(mergePods, DEFAULTS);
  const pod = raiseMain(restrictContainers(merged), input.memory_floor);
  checkMerged(pod, identity, input);
  return pod;
}

/** The same for a pod that someone has changed since. */
export function checkBuiltPod(pod: JsonObject, input: PodManifestInput): void {
  checkMerged(pod, identityOf(input), input);
}

function identityOf(input: PodManifestInput): JsonObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: input.pod_name,
      namespace: input.namespace,
      labels: {
        [LABELS.managedBy]: "windlass",
        [LABELS.installation]: labelValue(input.installationId),
        [LABELS.attempt]: input.attempt_id,
        [LABELS.dag]: labelValue(input.dag_id),
        [LABELS.task]: labelValue(input.task_id),
        [LABELS.run]: labelValue(input.run_id),
      },
      annotations: {
        [ANNOTATIONS.attempt]: input.attempt_id,
        [ANNOTATIONS.epoch]: String(input.epoch),
        [ANNOTATIONS.dag]: input.dag_id,
        [ANNOTATIONS.task]: input.task_id,
        [ANNOTATIONS.run]: input.run_id,
        [ANNOTATIONS.mapIndex]: String(input.map_index),
        [ANNOTATIONS.tryNumber]: String(input.try_number),
        ...(input.container === null
          ? {}
          : { [ANNOTATIONS.skipOnExitCodes]: input.container.skip_on_exit_codes.join(",") }),
        ...(input.helper === null ? {} : { [ANNOTATIONS.resultFile]: input.container?.result_file ?? "" }),
      },
    },
    spec: {
      restartPolicy: "Never",
      containers: [{ name: MAIN_CONTAINER, ...(input.container === null ? workerOf(input) : {}) }],
    },
  };
}

function workerOf(input: PodManifestInput): JsonObject {
  return { image: input.image, command: [...input.command], env: variables(input.environment) };
}

/** Over the author's partial pod, because a DAG's default pod is meant for its workers. */
function containerLayer(container: ResolvedContainer): JsonObject {
  const { image, cmds, arguments: args, env, active_deadline: deadline } = container;
  return {
    spec: {
      ...(deadline === null ? {} : { activeDeadlineSeconds: Math.ceil(deadline) }),
      containers: [
        {
          name: MAIN_CONTAINER,
          image,
          ...(cmds === null ? {} : { command: cmds }),
          ...(args === null ? {} : { args }),
          env: variables(env),
        },
      ],
    },
  };
}

/** A native sidecar: it starts before the container and is told to stop after it, when there is a file to deliver. */
function resultLayer(input: PodManifestInput): JsonObject {
  const file = input.container?.result_file ?? null;
  if (file === null || input.helper === null) return {};
  const volumeMounts: JsonObject[] = [{ name: RESULT_CONTAINER, mountPath: file.slice(0, file.lastIndexOf("/")) }];
  return {
    spec: {
      volumes: [{ name: RESULT_CONTAINER, emptyDir: {} }],
      initContainers: [
        {
          name: RESULT_CONTAINER,
          restartPolicy: "Always",
          image: input.image,
          command: [...input.command],
          env: variables(input.helper),
          resources: { requests: { cpu: "10m", memory: "48Mi" } },
          volumeMounts,
        },
      ],
      containers: [{ name: MAIN_CONTAINER, volumeMounts }],
    },
  };
}

function variables(environment: Readonly<Record<string, string>>): JsonObject[] {
  return Object.entries(environment).map(([name, value]) => ({ name, value }));
}

function reservedOf(input: PodManifestInput): Readonly<Record<string, string>> {
  return input.container === null ? input.environment : {};
}

/** A layer that sets one of the worker's variables is refused by name, before the merge hides who did it. */
function checkLayer(layer: JsonObject, whose: string, input: PodManifestInput): void {
  const errors: FieldError[] = [];
  const reserved = reservedOf(input);
  for (const list of ["containers", "initContainers"] as const) {
    const containers = asObject(layer["spec"])[list];
    if (containers === undefined || containers === null) continue;
    if (!Array.isArray(containers)) {
      errors.push({ path: `spec.${list}`, message: "must be a list" });
      continue;
    }
    for (const [index, container] of containers.entries()) {
      const env = asObject(container)["env"];
      if (!Array.isArray(env)) continue;
      for (const [at, variable] of env.entries()) {
        const name = asObject(variable)["name"];
        if (typeof name === "string" && name in reserved) {
          errors.push({ path: `spec.${list}[${index}].env[${at}]`, message: `${name} is set by Windlass only` });
        }
      }
    }
  }
  refuse(errors, whose);
}

/** Every container without an opinion gets what "restricted" asks of it. */
function restrictContainers(pod: JsonObject): JsonObject {
  const spec = asObject(pod["spec"]);
  const restricted: JsonObject = {};
  for (const list of ["containers", "initContainers"] as const) {
    const containers = spec[list];
    if (!Array.isArray(containers)) continue;
    restricted[list] = containers.map((container) => ({
      ...asObject(container),
      securityContext: { ...RESTRICTED_CONTAINER, ...asObject(asObject(container)["securityContext"]) },
    }));
  }
  return { ...pod, spec: { ...spec, ...restricted } };
}

function raiseMain(pod: JsonObject, floor: bigint | null): JsonObject {
  const spec = asObject(pod["spec"]);
  const { containers } = spec;
  if (floor === null || !Array.isArray(containers)) return pod;
  const raised = containers
    .map(asObject)
    .map((container) =>
      container["name"] === MAIN_CONTAINER && container["resources"] !== undefined
        ? { ...container, resources: raiseMemory(asObject(container["resources"]), floor) }
        : container,
    );
  return { ...pod, spec: { ...spec, containers: raised } };
}

function checkMerged(pod: JsonObject, identity: JsonObject, input: PodManifestInput): void {
  const errors: FieldError[] = [];
  const metadata = asObject(pod["metadata"]);
  const own = asObject(identity["metadata"]);
  for (const field of ["name", "namespace"]) {
    if (metadata[field] !== own[field]) errors.push({ path: `metadata.${field}`, message: "is chosen by Windlass" });
  }
  for (const map of ["labels", "annotations"]) {
    for (const [key, value] of Object.entries(asObject(own[map]))) {
      if (asObject(metadata[map])[key] !== value) {
        errors.push({ path: `metadata.${map}["${key}"]`, message: "identifies the pod and may not be changed" });
      }
    }
  }
  if (input.container === null && ANNOTATIONS.skipOnExitCodes in asObject(metadata["annotations"])) {
    errors.push({
      path: `metadata.annotations["${ANNOTATIONS.skipOnExitCodes}"]`,
      message: "is only for tasks without a worker",
    });
  }
  const spec = asObject(pod["spec"]);
  if (spec["restartPolicy"] !== "Never") {
    errors.push({ path: "spec.restartPolicy", message: 'must stay "Never": retries are Windlass\' own' });
  }
  const containers = Array.isArray(spec["containers"]) ? spec["containers"].map(asObject) : [];
  const main = containers.find((container) => container["name"] === MAIN_CONTAINER);
  if (main === undefined) {
    errors.push({
      path: "spec.containers",
      message: `the container "${MAIN_CONTAINER}" runs the task and may not be removed`,
    });
  } else {
    if ("restartPolicy" in main || "restartPolicyRules" in main) {
      errors.push({ path: `spec.containers["${MAIN_CONTAINER}"].restartPolicy`, message: "may not be set" });
    }
    const env = Array.isArray(main["env"]) ? main["env"].map(asObject) : [];
    for (const [name, value] of Object.entries(reservedOf(input))) {
      if (!env.some((variable) => variable["name"] === name && variable["value"] === value)) {
        errors.push({ path: `spec.containers["${MAIN_CONTAINER}"].env`, message: `${name} may not be removed` });
      }
    }
  }
  if (input.helper !== null) {
    const helpers = Array.isArray(spec["initContainers"]) ? spec["initContainers"].map(asObject) : [];
    if (!helpers.some((each) => each["name"] === RESULT_CONTAINER && each["restartPolicy"] === "Always")) {
      errors.push({ path: "spec.initContainers", message: `"${RESULT_CONTAINER}" delivers the result` });
    }
  }
  refuse(errors, `the pod of task ${input.task_id}`);
}

function refuse(errors: FieldError[], whose: string): void {
  if (errors.length === 0) return;
  const faults = errors.map((error) => `${error.path} ${error.message}`).join("; ");
  throw failure("invalid_configuration", `${whose} is not valid: ${faults}`, { errors });
}

function asObject(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
