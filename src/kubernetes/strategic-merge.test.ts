import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json, JsonObject } from "../core/json.ts";
import { mergePods as mergeInFile } from "../sdk/pod-override.ts";
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
    "ports of one number stay as many as there are",
    inMain({ ports: [{ containerPort: 80 }] }),
    inMain({
      ports: [
        { containerPort: 53, protocol: "UDP" },
        { containerPort: 53, protocol: "TCP" },
      ],
    }),
    inMain({
      ports: [{ containerPort: 80 }, { containerPort: 53, protocol: "UDP" }, { containerPort: 53, protocol: "TCP" }],
    }),
  ],
  [
    "of ports of one number, the one of the same protocol is meant",
    inMain({ ports: [{ containerPort: 53 }, { containerPort: 53, protocol: "UDP" }] }),
    inMain({ ports: [{ containerPort: 53, protocol: "UDP", name: "dns" }] }),
    inMain({ ports: [{ containerPort: 53 }, { containerPort: 53, protocol: "UDP", name: "dns" }] }),
  ],
  [
    "constraints of one topology stay as many as there are",
    inSpec({ topologySpreadConstraints: [{ topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule", maxSkew: 1 }] }),
    inSpec({
      topologySpreadConstraints: [
        { topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway", maxSkew: 2 },
        { topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule", maxSkew: 3 },
      ],
    }),
    inSpec({
      topologySpreadConstraints: [
        { topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway", maxSkew: 2 },
        { topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule", maxSkew: 3 },
      ],
    }),
  ],
  [
    "host names of one address stay together",
    {},
    inSpec({
      hostAliases: [
        { ip: "10.0.0.1", hostnames: ["a"] },
        { ip: "10.0.0.1", hostnames: ["b"] },
      ],
    }),
    inSpec({
      hostAliases: [
        { ip: "10.0.0.1", hostnames: ["a"] },
        { ip: "10.0.0.1", hostnames: ["b"] },
      ],
    }),
  ],
  [
    "all ports of a number are deleted on demand",
    inMain({ ports: [{ containerPort: 53 }, { containerPort: 53, protocol: "UDP" }, { containerPort: 80 }] }),
    inMain({ ports: [{ containerPort: 53, $patch: "delete" }] }),
    inMain({ ports: [{ containerPort: 80 }] }),
  ],
  [
    "a resource claim of another source is replaced",
    inSpec({ resourceClaims: [{ name: "gpu", resourceClaimName: "one" }] }),
    inSpec({ resourceClaims: [{ name: "gpu", resourceClaimTemplateName: "any" }] }),
    inSpec({ resourceClaims: [{ name: "gpu", resourceClaimTemplateName: "any" }] }),
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

/** Partial pods of few names, so that layers meet. */
const PODS = (() => {
  const name = fc.constantFrom("a", "b");
  const text = fc.constantFrom("x", "y", "");
  const fields = (model: { [field: string]: fc.Arbitrary<Json> }): fc.Arbitrary<JsonObject> =>
    // Fields that are left out are absent, not undefined.
    fc.record(model, { requiredKeys: [] }) as fc.Arbitrary<JsonObject>;
  const maybeNull = (arbitrary: fc.Arbitrary<Json>): fc.Arbitrary<Json> =>
    fc.oneof({ weight: 8, arbitrary }, { weight: 1, arbitrary: fc.constant(null) });
  /** By their key, each at most once, sometimes as a directive. */
  const listBy = (key: string, id: fc.Arbitrary<Json>, model: { [field: string]: fc.Arbitrary<Json> }) => {
    const element = fc
      .tuple(id, fields(model), fc.constantFrom(null, null, null, "delete", "replace"))
      .map(([at, rest, directive]): JsonObject => {
        if (directive === "delete") return { [key]: at, $patch: "delete" };
        return { [key]: at, ...rest, ...(directive === null ? {} : { $patch: directive }) };
      });
    return fc.uniqueArray(element, { maxLength: 2, selector: (each) => each[key] });
  };
  const map = fc
    .tuple(fields({ k: maybeNull(text), l: maybeNull(text) }), fc.boolean())
    .map(([rest, replace]): JsonObject => (replace ? { ...rest, $patch: "replace" } : rest));
  const container = {
    image: maybeNull(text),
    command: fc.array(text, { maxLength: 2 }),
    securityContext: maybeNull(map),
    env: listBy("name", name, { value: text }),
    ports: listBy("containerPort", fc.constantFrom(1, 2), { name: text }),
    volumeMounts: listBy("mountPath", name, { name: text, readOnly: fc.boolean() }),
  };
  return fields({
    metadata: fields({ labels: maybeNull(map) }),
    spec: fields({
      nodeSelector: maybeNull(map),
      hostNetwork: maybeNull(fc.boolean()),
      tolerations: fc.array(map, { maxLength: 1 }),
      containers: listBy("name", name, container),
      initContainers: listBy("name", name, container),
      volumes: fc.uniqueArray(
        fc
          .tuple(name, fc.constantFrom("emptyDir", "secret"), fields({ k: text, l: text }))
          .map(([at, source, value]): JsonObject => ({ name: at, [source]: value })),
        { maxLength: 2, selector: (each) => each["name"] },
      ),
      hostAliases: listBy("ip", name, { hostnames: fc.array(text, { maxLength: 1 }) }),
      topologySpreadConstraints: listBy("topologyKey", name, { maxSkew: fc.constantFrom(1, 2) }),
      schedulingGates: listBy("name", name, {}),
      resourceClaims: listBy("name", name, { resourceClaimName: text }),
    }),
  });
})();

test("a task's pod over its DAG's, and both over the template, is the same as one after the other", () => {
  fc.assert(
    fc.property(PODS, PODS, PODS, (template, dag, task) => {
      const base = mergePods({}, template);
      expect(sorted(mergePods(base, mergeInFile(dag, task)))).toEqual(sorted(mergePods(mergePods(base, dag), task)));
    }),
    { numRuns: 500 },
  );
});

/** Where an element was deleted and comes again its place differs, and no list but that of init containers has an order. */
function sorted(value: Json | undefined): Json | undefined {
  if (Array.isArray(value)) {
    const items = value.map((each) => sorted(each) ?? null);
    return items.every((each) => typeof each === "object")
      ? items.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
      : items;
  }
  if (typeof value !== "object" || value === null) return value;
  const keys = Object.keys(value).toSorted();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key]) ?? null]));
}
