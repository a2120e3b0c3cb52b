import { expect, test } from "vitest";
import { compilePod, mergePods, type PodOverride } from "./pod-override.ts";

test("shorthands become the main container of a plain Pod", () => {
  const override: PodOverride = {
    image: "alpine:3",
    env: { A: "1" },
    resources: { requests: { cpu: "100m" }, limits: { memory: "1Gi" } },
    metadata: { labels: { team: "data" }, namespace: "jobs" },
    spec: {
      serviceAccountName: "loader",
      containers: [
        { name: "helper", image: "x" },
        { name: "base", env: [{ name: "B", value: "2" }] },
      ],
    },
  };
  expect(compilePod(override, "pod")).toEqual({
    metadata: { labels: { team: "data" }, namespace: "jobs" },
    spec: {
      serviceAccountName: "loader",
      containers: [
        { name: "helper", image: "x" },
        {
          name: "base",
          image: "alpine:3",
          env: [
            { name: "B", value: "2" },
            { name: "A", value: "1" },
          ],
          resources: { requests: { cpu: "100m" }, limits: { memory: "1Gi" } },
        },
      ],
    },
  });
});

test("without shorthands no container is added", () => {
  expect(compilePod({ spec: { nodeName: "a" } }, "pod")).toEqual({ spec: { nodeName: "a" } });
});

test("two mounts of one volume stay two", () => {
  const mounts = (path: string) => ({
    spec: { containers: [{ name: "base", volumeMounts: [{ name: "v", mountPath: path }] }] },
  });
  expect(mergePods(compilePod(mounts("/a"), "pod"), compilePod(mounts("/b"), "pod"))).toEqual({
    spec: {
      containers: [
        {
          name: "base",
          volumeMounts: [
            { name: "v", mountPath: "/a" },
            { name: "v", mountPath: "/b" },
          ],
        },
      ],
    },
  });
});

test("a variable, or null, replaces what is below as a whole", () => {
  const from = (variable: object) => ({ spec: { containers: [{ name: "base", env: [{ name: "A", ...variable }] }] } });
  const below = compilePod(
    { ...from({ valueFrom: { fieldRef: { fieldPath: "x" } } }), metadata: { labels: { a: "1" } } },
    "pod",
  );
  const above = compilePod({ ...from({ value: "1" }), metadata: { labels: null } }, "pod");
  expect(mergePods(below, above)).toEqual({ ...from({ value: "1" }), metadata: { labels: null } });
});

test("merging keeps what is below, item by item where items have a key", () => {
  const below = compilePod(
    { env: { A: "1", B: "2" }, spec: { tolerations: [{ key: "a" }], volumes: [{ name: "v", emptyDir: {} }] } },
    "pod",
  );
  const above = compilePod(
    { env: { B: "3" }, image: "x", spec: { tolerations: [{ key: "b" }], volumes: [{ name: "w" }] } },
    "pod",
  );
  expect(mergePods(below, above)).toEqual({
    spec: {
      tolerations: [{ key: "b" }],
      volumes: [{ name: "v", emptyDir: {} }, { name: "w" }],
      containers: [
        {
          name: "base",
          env: [
            { name: "A", value: "1" },
            { name: "B", value: "3" },
          ],
          image: "x",
        },
      ],
    },
  });
});

test.each<[string, unknown, string]>([
  ["an object in env", { env: { A: { value: "1" } } }, "task.pod.env.A is an object, but must be a string."],
  ["a number in env", { env: { A: 1 } }, "task.pod.env.A is 1, but must be a string."],
  ["env as a list", { env: [{ name: "A", value: "1" }] }, "task.pod.env is an array, but must be an object."],
  [
    "an object in a container's env",
    { spec: { containers: [{ name: "base", env: [{ name: "A", value: {} }] }] } },
    "task.pod.spec.containers[0].env[0].value is an object, but must be a string.",
  ],
  [
    "a container without a name",
    { spec: { initContainers: [{ image: "x" }] } },
    "task.pod.spec.initContainers[0].name is null, but must be a string.",
  ],
  [
    "memory as a number",
    { resources: { limits: { memory: 1 } } },
    "task.pod.resources.limits.memory is 1, but must be a string.",
  ],
  ["a misspelt field", { evn: {} }, "task.pod.evn is unknown. The fields are image, env, resources, metadata, spec."],
  [
    "other metadata",
    { metadata: { name: "x" } },
    "task.pod.metadata.name is unknown. The fields are labels, annotations, namespace.",
  ],
  ["a function", { spec: { nodeName: () => "x" } }, "task.pod.spec.nodeName is a function, which JSON cannot carry."],
  ["an image's name that can be none", { image: "alpine:" }, 'task.pod.image is "alpine:". Name an image'],
  [
    "that of another container",
    { spec: { initContainers: [{ name: "a", image: "https://x/y" }] } },
    'task.pod.spec.initContainers[0].image is "https://x/y". Name an image',
  ],
  ["text", "alpine", 'task.pod is "alpine", but must be an object.'],
])("%s is an error with its path", (_name, pod, message) => {
  expect(() => compilePod(pod, "task.pod")).toThrow(message);
});
