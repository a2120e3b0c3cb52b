// The pod of an attempt, in four layers, each laid over the one before (strategic-merge.ts):
//   defaults    what every pod gets unless someone says otherwise; they pass Pod Security "restricted"
//   template    the installation's base pod
//   identity    names, labels, annotations, the worker's image, command and environment
//   task        the author's partial pod
//   container   of tasks that run an image of their own, in place of the worker: image, command, arguments, environment
// The author's word is last, but not on what the installation finds and fences its pods by: that is checked at the end.

import type { ResolvedContainer } from "../core/container.ts";
import { RESULT_CONTAINER } from "../core/container-result.ts";
import { asObject, type JsonObject } from "../core/json.ts";
import { MAIN_CONTAINER } from "../core/pod-snapshot.ts";
import { raiseMemory } from "../core/memory-growth.ts";
import { checkLayer, checkMerged, type ExpectedPod } from "./check-pod.ts";
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
  const reserved = reservedOf(input);
  checkLayer(input.template ?? {}, "the installation's pod template", reserved);
  checkLayer(input.pod ?? {}, `the pod of task ${input.task_id}`, reserved);
  const container = input.container === null ? {} : containerLayer(input.container);
  const layers = [input.template ?? {}, identity, input.pod ?? {}, container, resultLayer(input)];
  const merged = layers.reduce(mergePods, DEFAULTS);
  const pod = raiseMain(restrictContainers(merged), input.memory_floor);
  checkMerged(pod, identity, expectedOf(input));
  return pod;
}

/** The same for a pod that someone has changed since. */
export function checkBuiltPod(pod: JsonObject, input: PodManifestInput): void {
  checkMerged(pod, identityOf(input), expectedOf(input));
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

/** Every container without an opinion gets what "restricted" asks of it. */
function restrictContainers(pod: JsonObject): JsonObject {
  const spec = asObject(pod["spec"]);
  const restricted: JsonObject = {};
  for (const list of ["containers", "initContainers"] as const) {
    const containers = spec[list];
    if (!Array.isArray(containers)) continue;
    restricted[list] = containers.map((container) =>
      mergePods({ securityContext: RESTRICTED_CONTAINER }, asObject(container)),
    );
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

function expectedOf(input: PodManifestInput): ExpectedPod {
  return {
    whose: `the pod of task ${input.task_id}`,
    reserved: reservedOf(input),
    hasWorker: input.container === null,
    hasHelper: input.helper !== null,
  };
}

function reservedOf(input: PodManifestInput): Readonly<Record<string, string>> {
  return input.container === null ? input.environment : {};
}
