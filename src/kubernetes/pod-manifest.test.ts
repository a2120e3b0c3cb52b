import { describe, expect, test } from "vitest";
import type { JsonObject } from "../core/json.ts";
import { buildPod, type PodManifestInput } from "./pod-manifest.ts";

const input = (more: Partial<PodManifestInput> = {}): PodManifestInput => ({
  attempt_id: "0199c0de-1234-7abc-8def-0123456789ab",
  epoch: 3,
  dag_id: "sum",
  run_id: "scheduled__2026-01-01T06:00:00+01:00",
  task_id: "extract",
  map_index: -1,
  try_number: 2,
  cluster: null,
  namespace: "etl",
  pod_name: "sum-extract-1",
  installationId: "prod",
  image: "registry.example/windlass:1",
  command: ["windlass", "worker"],
  environment: { WINDLASS_API_URL: "http://api", WINDLASS_LAUNCH_TOKEN: "secret" },
  container: null,
  helper: null,
  template: null,
  pod: null,
  memory_floor: null,
  ...more,
});

test("an attempt's pod", () => {
  expect(buildPod(input())).toMatchInlineSnapshot(`
    {
      "apiVersion": "v1",
      "kind": "Pod",
      "metadata": {
        "annotations": {
          "windlass.dev/attempt-id": "0199c0de-1234-7abc-8def-0123456789ab",
          "windlass.dev/dag-id": "sum",
          "windlass.dev/epoch": "3",
          "windlass.dev/map-index": "-1",
          "windlass.dev/run-id": "scheduled__2026-01-01T06:00:00+01:00",
          "windlass.dev/task-id": "extract",
          "windlass.dev/try-number": "2",
        },
        "labels": {
          "app.kubernetes.io/managed-by": "windlass",
          "windlass.dev/attempt-id": "0199c0de-1234-7abc-8def-0123456789ab",
          "windlass.dev/dag-id": "sum",
          "windlass.dev/installation": "prod",
          "windlass.dev/run-id": "scheduled__2026-01-01T06-00-00-01-00-9fb56f849c",
          "windlass.dev/task-id": "extract",
        },
        "name": "sum-extract-1",
        "namespace": "etl",
      },
      "spec": {
        "automountServiceAccountToken": false,
        "containers": [
          {
            "command": [
              "windlass",
              "worker",
            ],
            "env": [
              {
                "name": "WINDLASS_API_URL",
                "value": "http://api",
              },
              {
                "name": "WINDLASS_LAUNCH_TOKEN",
                "value": "secret",
              },
            ],
            "image": "registry.example/windlass:1",
            "name": "base",
            "resources": {
              "requests": {
                "cpu": "50m",
                "memory": "96Mi",
              },
            },
            "securityContext": {
              "allowPrivilegeEscalation": false,
              "capabilities": {
                "drop": [
                  "ALL",
                ],
              },
            },
            "terminationMessagePolicy": "FallbackToLogsOnError",
          },
        ],
        "enableServiceLinks": false,
        "restartPolicy": "Never",
        "securityContext": {
          "runAsGroup": 1000,
          "runAsNonRoot": true,
          "runAsUser": 1000,
          "seccompProfile": {
            "type": "RuntimeDefault",
          },
        },
        "terminationGracePeriodSeconds": 30,
      },
    }
  `);
});

test("the task's word is last, the template's before the defaults', the installation's image in between", () => {
  const pod = buildPod(
    input({
      template: {
        metadata: { labels: { team: "data" } },
        spec: {
          terminationGracePeriodSeconds: 60,
          containers: [{ name: "base", image: "ignored", resources: { requests: { cpu: "1" } } }],
        },
      },
      pod: {
        spec: {
          automountServiceAccountToken: true,
          containers: [
            {
              name: "base",
              env: [{ name: "LEVEL", value: "" }],
              resources: { requests: { memory: "1Gi" } },
              securityContext: { readOnlyRootFilesystem: true },
            },
            { name: "proxy", image: "proxy:1" },
          ],
        },
      },
    }),
  );
  expect(pod).toMatchObject({
    metadata: { labels: { team: "data", "windlass.dev/dag-id": "sum" } },
    spec: {
      terminationGracePeriodSeconds: 60,
      automountServiceAccountToken: true,
      containers: [
        {
          image: "registry.example/windlass:1",
          resources: { requests: { cpu: "1", memory: "1Gi" } },
          securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
          env: [{ name: "WINDLASS_API_URL" }, { name: "WINDLASS_LAUNCH_TOKEN" }, { name: "LEVEL", value: "" }],
        },
        { name: "proxy", securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } } },
      ],
    },
  });
});

test("a task may bring its own image", () => {
  const pod = buildPod(input({ pod: { spec: { containers: [{ name: "base", image: "own:2" }] } } }));
  expect(pod).toMatchObject({
    spec: { containers: [{ name: "base", image: "own:2", command: ["windlass", "worker"] }] },
  });
});

test("what a container says of its capabilities leaves the rest dropped, wherever it stands", () => {
  const securityContext = { capabilities: { add: ["NET_BIND_SERVICE"] } };
  const named = (name: string) => ({ name, image: "x", securityContext });
  const pod = buildPod(
    input({ pod: { spec: { initContainers: [named("fetch")], containers: [named("base"), named("proxy")] } } }),
  );
  const { containers, initContainers } = pod["spec"] as { [list: string]: JsonObject[] };
  for (const container of [...(initContainers ?? []), ...(containers ?? [])]) {
    expect(container["securityContext"]).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] },
    });
  }
});

const main = (fields: JsonObject): JsonObject => ({ spec: { containers: [{ name: "base", ...fields }] } });

test.each<[string, JsonObject, string]>([
  [
    "a label of ours",
    { metadata: { labels: { "windlass.dev/installation": "other" } } },
    'metadata.labels["windlass.dev/installation"]',
  ],
  [
    "a label of ours removed",
    { metadata: { labels: { "windlass.dev/attempt-id": null } } },
    'metadata.labels["windlass.dev/attempt-id"]',
  ],
  [
    "an annotation of ours",
    { metadata: { annotations: { "windlass.dev/epoch": "9" } } },
    'metadata.annotations["windlass.dev/epoch"]',
  ],
  ["the name", { metadata: { name: "mine" } }, "metadata.name"],
  ["the restart policy", { spec: { restartPolicy: "OnFailure" } }, "spec.restartPolicy"],
  ["the main container's restart policy", main({ restartPolicy: "Always" }), 'spec.containers["base"].restartPolicy'],
  [
    "the worker's environment",
    main({ env: [{ name: "WINDLASS_API_URL", value: "http://evil" }] }),
    "spec.containers[0].env[0] WINDLASS_API_URL",
  ],
  ["the worker's environment removed", main({ env: null }), "WINDLASS_API_URL may not be removed"],
  [
    "the main container removed",
    { spec: { containers: [{ name: "base", $patch: "delete" }] } },
    'the container "base"',
  ],
  ["containers that are no list", { spec: { containers: {} } }, "spec.containers must be a list"],
])("refuses to change %s", (_, pod, message) => {
  expect(() => buildPod(input({ pod }))).toThrow(message);
  expect(() => buildPod(input({ pod }))).toThrow(expect.objectContaining({ code: "invalid_configuration" }));
});

test("a template's fault is told from a task's", () => {
  const env = main({ env: [{ name: "WINDLASS_API_URL", value: "x" }] });
  expect(() => buildPod(input({ template: env }))).toThrow("the installation's pod template");
  expect(() => buildPod(input({ pod: env }))).toThrow("the pod of task extract");
});

const foreign = (more: Partial<NonNullable<PodManifestInput["container"]>> = {}) =>
  input({
    container: {
      image: "python:3.12-slim",
      cmds: ["python"],
      arguments: ["-V"],
      env: { DAY: "2026-01-01" },
      skip_on_exit_codes: [99, 100],
      result_file: null,
      active_deadline: 1.5,
      ...more,
    },
  });

test("the pod of an image without a worker", () => {
  const made = buildPod(foreign());
  expect(made).toMatchObject({
    metadata: {
      name: "sum-extract-1",
      labels: { "windlass.dev/attempt-id": "0199c0de-1234-7abc-8def-0123456789ab" },
      annotations: { "windlass.dev/epoch": "3", "windlass.dev/skip-on-exit-codes": "99,100" },
    },
    spec: { restartPolicy: "Never", automountServiceAccountToken: false, activeDeadlineSeconds: 2 },
  });
  expect(JSON.stringify(made)).not.toContain("WINDLASS_");
  expect(mainOf(made)).toEqual({
    name: "base",
    image: "python:3.12-slim",
    command: ["python"],
    args: ["-V"],
    env: [{ name: "DAY", value: "2026-01-01" }],
    resources: { requests: { cpu: "50m", memory: "96Mi" } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    terminationMessagePolicy: "FallbackToLogsOnError",
  });
});

test("an image keeps its own entry point and lives as long as it likes unless the task says otherwise", () => {
  const made = buildPod(
    foreign({ cmds: null, arguments: null, env: {}, active_deadline: null, skip_on_exit_codes: [] }),
  );
  expect(mainOf(made)).not.toHaveProperty("command");
  expect(mainOf(made)).not.toHaveProperty("args");
  expect(made).not.toHaveProperty("spec.activeDeadlineSeconds");
  expect(made).toHaveProperty(["metadata", "annotations", "windlass.dev/skip-on-exit-codes"], "");
});

test("a container's own settings win over the pod that a DAG gives all its tasks, and other fields are that pod's", () => {
  const base = {
    name: "base",
    image: "worker:2",
    env: [
      { name: "DAY", value: "never" },
      { name: "TOKEN", valueFrom: { secretKeyRef: { name: "keys", key: "token" } } },
    ],
    volumeMounts: [{ name: "keys", mountPath: "/keys", readOnly: true }],
  };
  const merged = mainOf(buildPod({ ...foreign(), pod: { spec: { containers: [base] } } }));
  expect(merged).toMatchObject({
    image: "python:3.12-slim",
    env: [{ name: "DAY", value: "2026-01-01" }, base.env[1]],
    volumeMounts: [{ name: "keys" }],
  });
});

test("a worker's pod cannot pass for one without a worker", () => {
  const pod = { metadata: { annotations: { "windlass.dev/skip-on-exit-codes": "" } } };
  expect(() => buildPod(input({ pod }))).toThrow(/skip-on-exit-codes"\] is only for tasks without a worker/);
});

function mainOf(pod: JsonObject): unknown {
  return (pod["spec"] as { containers: unknown[] }).containers[0];
}

describe("a container that leaves its result in a file", () => {
  const helper = { WINDLASS_RESULT_TOKEN: "secret", WINDLASS_RESULT_FILE: "/out/result.json" };
  const made = (more: Partial<PodManifestInput> = {}) =>
    buildPod({ ...foreign({ result_file: "/out/result.json" }), helper, ...more });
  const at = (pod: JsonObject) => pod["spec"] as { [name: string]: JsonObject[] };

  test("has a native sidecar of the worker's image that shares its folder and alone has the token", () => {
    const pod = made();
    expect(pod).toMatchObject({ metadata: { annotations: { "windlass.dev/result-file": "/out/result.json" } } });
    expect(at(pod)["volumes"]).toEqual([{ name: "windlass-result", emptyDir: {} }]);
    expect(at(pod)["initContainers"]).toEqual([
      {
        name: "windlass-result",
        restartPolicy: "Always",
        image: "registry.example/windlass:1",
        command: ["windlass", "worker"],
        env: [
          { name: "WINDLASS_RESULT_TOKEN", value: "secret" },
          { name: "WINDLASS_RESULT_FILE", value: "/out/result.json" },
        ],
        resources: { requests: { cpu: "10m", memory: "48Mi" } },
        volumeMounts: [{ name: "windlass-result", mountPath: "/out" }],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ]);
    expect(mainOf(pod)).toMatchObject({ volumeMounts: [{ name: "windlass-result", mountPath: "/out" }] });
    expect(JSON.stringify(mainOf(pod))).not.toContain("secret");
  });

  test("keeps the volumes and init containers of its own", () => {
    const spec = { volumes: [{ name: "a", emptyDir: {} }], initContainers: [{ name: "first", image: "x" }] };
    const pod = made({ pod: { spec } });
    expect(at(pod)["volumes"]?.map((each) => each["name"])).toEqual(["a", "windlass-result"]);
    expect(at(pod)["initContainers"]?.map((each) => each["name"])).toContain("first");
  });

  test("has none of it without a helper", () => {
    expect(JSON.stringify(buildPod(foreign()))).not.toContain("windlass-result");
  });
});
