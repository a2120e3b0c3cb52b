import { expect, test } from "vitest";
import type { JsonObject } from "../core/json.ts";
import { mergePods } from "./strategic-merge.ts";

const inSpec = (spec: JsonObject): JsonObject => ({ spec });
const inMain = (fields: JsonObject): JsonObject => ({ spec: { containers: [{ name: "base", ...fields }] } });

test.each<[string, JsonObject, JsonObject, JsonObject]>([
  [
    "maps merge",
    { metadata: { labels: { a: "1", b: "2" } } },
    { metadata: { labels: { b: "3" } } },
    { metadata: { labels: { a: "1", b: "3" } } },
  ],
  [
    "false, 0 and empty text override",
    inSpec({ hostNetwork: true, priority: 5, subdomain: "x" }),
    inSpec({ hostNetwork: false, priority: 0, subdomain: "" }),
    inSpec({ hostNetwork: false, priority: 0, subdomain: "" }),
  ],
  [
    "null removes a key",
    inSpec({ nodeSelector: { disk: "ssd", zone: "a" } }),
    inSpec({ nodeSelector: { disk: null } }),
    inSpec({ nodeSelector: { zone: "a" } }),
  ],
  [
    "containers merge by name and keep their order",
    inSpec({
      containers: [
        { name: "base", image: "a" },
        { name: "proxy", image: "p" },
      ],
    }),
    inSpec({
      containers: [
        { name: "log", image: "l" },
        { name: "proxy", image: "q" },
      ],
    }),
    inSpec({
      containers: [
        { name: "base", image: "a" },
        { name: "proxy", image: "q" },
        { name: "log", image: "l" },
      ],
    }),
  ],
  [
    "resources merge",
    inMain({ resources: { requests: { cpu: "50m", memory: "96Mi" } } }),
    inMain({ resources: { requests: { memory: "1Gi" }, limits: { memory: "1Gi" } } }),
    inMain({ resources: { requests: { cpu: "50m", memory: "1Gi" }, limits: { memory: "1Gi" } } }),
  ],
  [
    "env merges by name, each entry as a whole",
    inMain({
      env: [
        { name: "A", valueFrom: { secretKeyRef: { name: "s", key: "k" } } },
        { name: "B", value: "b" },
      ],
    }),
    inMain({
      env: [
        { name: "A", value: "" },
        { name: "C", value: "c" },
      ],
    }),
    inMain({
      env: [
        { name: "A", value: "" },
        { name: "B", value: "b" },
        { name: "C", value: "c" },
      ],
    }),
  ],
  [
    "mounts merge by path",
    inMain({ volumeMounts: [{ name: "tmp", mountPath: "/tmp" }] }),
    inMain({
      volumeMounts: [
        { name: "big", mountPath: "/tmp" },
        { name: "data", mountPath: "/data" },
      ],
    }),
    inMain({
      volumeMounts: [
        { name: "big", mountPath: "/tmp" },
        { name: "data", mountPath: "/data" },
      ],
    }),
  ],
  [
    "ports merge by number",
    inMain({ ports: [{ containerPort: 80, name: "web" }] }),
    inMain({ ports: [{ containerPort: 80, protocol: "TCP" }, { containerPort: 81 }] }),
    inMain({ ports: [{ containerPort: 80, name: "web", protocol: "TCP" }, { containerPort: 81 }] }),
  ],
  [
    "a volume keeps its source's other fields",
    inSpec({ volumes: [{ name: "tmp", emptyDir: { medium: "Memory" } }] }),
    inSpec({ volumes: [{ name: "tmp", emptyDir: { sizeLimit: "1Gi" } }] }),
    inSpec({ volumes: [{ name: "tmp", emptyDir: { medium: "Memory", sizeLimit: "1Gi" } }] }),
  ],
  [
    "a volume of another source is replaced",
    inSpec({ volumes: [{ name: "tmp", emptyDir: {} }] }),
    inSpec({ volumes: [{ name: "tmp", persistentVolumeClaim: { claimName: "c" } }] }),
    inSpec({ volumes: [{ name: "tmp", persistentVolumeClaim: { claimName: "c" } }] }),
  ],
  [
    "lists without a key are replaced",
    inSpec({ tolerations: [{ key: "a" }] }),
    inSpec({ tolerations: [{ key: "b" }] }),
    inSpec({ tolerations: [{ key: "b" }] }),
  ],
  ["an empty list empties one without a key", inMain({ args: ["a"] }), inMain({ args: [] }), inMain({ args: [] })],
  [
    "an element is deleted on demand",
    inSpec({
      volumes: [
        { name: "tmp", emptyDir: {} },
        { name: "x", emptyDir: {} },
      ],
    }),
    inSpec({ volumes: [{ name: "tmp", $patch: "delete" }] }),
    inSpec({ volumes: [{ name: "x", emptyDir: {} }] }),
  ],
  [
    "a map is replaced on demand",
    inSpec({ securityContext: { runAsUser: 1000, fsGroup: 1 } }),
    inSpec({ securityContext: { $patch: "replace", runAsUser: 5 } }),
    inSpec({ securityContext: { runAsUser: 5 } }),
  ],
  [
    "affinity terms are replaced, affinity kinds merge",
    inSpec({ affinity: { nodeAffinity: { required: [1] }, podAffinity: { required: [2] } } }),
    inSpec({ affinity: { nodeAffinity: { required: [3] } } }),
    inSpec({ affinity: { nodeAffinity: { required: [3] }, podAffinity: { required: [2] } } }),
  ],
])("%s", (_, base, patch, merged) => {
  const before = structuredClone([base, patch]);
  expect(mergePods(base, patch)).toEqual(merged);
  expect([base, patch]).toEqual(before);
});

test("an element without its key is an error with its path", () => {
  expect(() => mergePods({}, inSpec({ containers: [{ image: "x" }] }))).toThrow('spec.containers[0] needs a "name"');
});
